"""One protocol for the tables and figures over an image set: options, blocks, resume, result.

Every such command runs unchanged under ``torchrun --nproc-per-node N``: the processes share the
blocks of one --work folder among them, and the first one reads them all and reports. A block is
one Parquet file, written beside its place and renamed into it, so what is there is whole. A note in
the folder says what the blocks are of; those of another run are not mixed in.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import pandas as pd
from tqdm import tqdm

from xdnn_core.errors import UserError
from xdnn_core.experiments.image_runs import (
    ImageRun,
    image_fingerprint,
    network_fingerprint,
    open_run,
)
from xdnn_core.experiments.provenance import add_out_argument, provenance, read_result, report
from xdnn_core.experiments.workers import Worker
from xdnn_core.io import RESULTS, atomic_write, claim_folder
from xdnn_core.models.catalogue import EMBEDDED

STEPS: Final = 128  # Gauss–Legendre points of Integrated Gradients, as in the paper
Share = Callable[[float], None]  # called with the share of a block that is done, 0 to 1
Result = TypeVar("Result")


@dataclass(frozen=True)
class ImageExperiment(Generic[Result]):
    """A table or figure over an image set: its command, and its stored result."""

    name: str  # of the command, the stored file and the key in it
    result: type[Result]  # a dataclass of plain values
    # (OpenRun, block, share, **settings) -> rows of the images that can be read
    measure: Callable[..., pd.DataFrame]
    summarise: Callable[[ImageRun], Result]
    describe: Callable[[Result], str]  # in plain text
    settings: tuple[str, ...] = ()  # options that rows depend on
    constants: dict[str, Any] = field(default_factory=dict)  # what else they depend on
    columns: tuple[str, ...] = ()  # that stored rows must have; older versions may lack them

    def main(self, args: argparse.Namespace) -> int:
        """Run the command, or go on where it was stopped; returns the exit status."""
        settings = {name: getattr(args, name) for name in self.settings}
        settings = {name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
        for name, value in settings.items():
            if isinstance(value, int) and value < 1:
                what = "gradient calls" if name == "steps" else "images"
                raise UserError(f"--{name} is {value}; give 1 or more {what}.")
        measure = partial(self.measure, **settings)
        run = run_over_images(args, self.name, measure, settings | self.constants)
        if run is None:
            return 0
        result = self.summarise(run)
        return report(args.out, run.rows, result, self.name, self.describe(result))

    def load(self, path: Path | None = None) -> tuple[pd.DataFrame, Result]:
        """Read a stored result, the app's own or that of a file: its rows and their summary."""
        file = RESULTS / f"{self.name}.parquet" if path is None else path
        return read_result(file, self.name, self.result, self.columns)


def add_run_arguments(parser: argparse.ArgumentParser, name: str, batch: int) -> None:
    """Declare the options that every such command has; `batch` images are measured together."""
    parser.add_argument(
        "--data",
        required=True,
        help="image Parquet, a folder of such files, or a folder with one subfolder a class",
    )
    parser.add_argument("--split", default="test", help="(default: test)")
    parser.add_argument(
        "--network", nargs="+", default=[name for name, *_ in EMBEDDED], metavar="NAME",
        help="names of `python -m xdnn_core models`, or files with weights (default: the embedded "
        "pair)",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, help="that many images, evenly over the set")
    parser.add_argument(
        "--batch", type=int, default=batch, help=f"images measured together (default: {batch})"
    )
    parser.add_argument("--device", help="cpu or cuda (default: the best at hand)")
    parser.add_argument(
        "--work", type=Path, default=Path("out") / name,
        help=f"folder for finished blocks (default: out/{name})",
    )  # fmt: skip
    add_out_argument(parser, name)


def add_steps_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the number of gradient calls of Integrated Gradients."""
    parser.add_argument(
        "--steps", type=int, default=STEPS,
        help=f"gradient calls of Integrated Gradients (default: {STEPS}, as in the paper)",
    )  # fmt: skip


def run_over_images(
    args: argparse.Namespace, name: str, measure: Callable[..., pd.DataFrame], note: dict[str, Any]
) -> ImageRun | None:
    """Measure an image set block by block, together with the other processes of a torchrun.

    `note` is what else the rows depend on; blocks made with another one are not mixed in. None in
    all processes but the first, which have nothing to report.
    """
    run = open_run(args)
    note = {
        "experiment": name,
        "images": image_fingerprint(run.images),
        "networks": [network_fingerprint(model.network) for model in run.models],
        **note,
    }
    compute = partial(measure, run)
    rows = run_blocks(args.work, note, run.chosen, args.batch, compute, name, run.worker)
    if rows is None:
        return None
    read = set(rows["image"])
    unreadable = tuple(run.images.names[number] for number in run.chosen if number not in read)
    made = provenance(run.title, len(read), run.device)
    return ImageRun(rows, run.models, unreadable, made, note)


def share_bar(title: str, total: float, **options: Any) -> tqdm:
    """A bar with the share done and the time left, the latter from what this run itself does."""
    form = "{desc}: {percentage:5.1f}% |{bar}| {elapsed}, {remaining} left{postfix}"
    return tqdm(desc=title, total=total, bar_format=form, **options)


def block_file(folder: Path, images: Sequence[int]) -> Path:
    """Where the block of these images lies."""
    return folder / f"images-{images[0]:06d}-{images[-1]:06d}-{len(images)}.parquet"


def run_blocks(
    folder: Path,
    note: dict[str, Any],
    images: Sequence[int],
    size: int,
    compute: Callable[[Sequence[int], Share], pd.DataFrame],
    title: str,
    worker: Worker | None = None,
) -> pd.DataFrame | None:
    """Compute what is not there yet and return all rows; None in all workers but the first.

    A block of `size` images may have no rows. `note` says what the folder's blocks are of.
    """
    claim_folder(folder, note, "run.json")
    blocks = [images[at : at + size] for at in range(0, len(images), size)]
    # Every process knows its blocks by their place, whatever the others have finished by now.
    local = blocks if worker is None else blocks[worker.rank :: worker.world_size]
    missing = [block for block in local if not block_file(folder, block).is_file()]
    total = sum(map(len, local))
    with share_bar(
        title, total, initial=total - sum(map(len, missing)),
        disable=not (worker is None or worker.is_main),
    ) as bar:  # fmt: skip
        for block in missing:
            _run_block(block_file(folder, block), block, compute, bar)
    if worker is not None:
        worker.barrier()
        if not worker.is_main:
            return None
    frames = [pd.read_parquet(block_file(folder, block)) for block in blocks]
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        raise UserError(f"None of the {len(images)} images could be read; check the files.")
    return pd.concat(filled, ignore_index=True)


def _run_block(
    file: Path,
    block: Sequence[int],
    compute: Callable[[Sequence[int], Share], pd.DataFrame],
    bar: tqdm,
) -> None:
    before = bar.n
    bar.set_postfix_str(f"{int(before)} of {bar.total} images")

    def share(done: float) -> None:
        bar.update(before + done * len(block) - bar.n)

    rows = compute(block, share)
    with atomic_write(file) as temporary:
        rows.to_parquet(temporary, index=False)
    share(1.0)
