"""What experiments over an image set have in common: options, networks, images, blocks, processes.

Every such command runs unchanged under ``torchrun --nproc-per-node N``: the processes share the
blocks of one --work folder among them, and the first one reads them all and reports.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from xdnn_core.data.images import ImageSet, open_image_set
from xdnn_core.errors import UserError
from xdnn_core.experiments.protocol import BlockFolder, run_blocks
from xdnn_core.experiments.provenance import Provenance, provenance
from xdnn_core.experiments.workers import Worker, join_workers
from xdnn_core.models.catalogue import EMBEDDED, IMAGENET_CLASSES
from xdnn_core.models.zoo import PretrainedModel, load_model, load_model_file

STEPS: Final = 128  # Gauss–Legendre points of Integrated Gradients, as in the paper
_WORDNET_ID: Final = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class OpenRun:
    """What the options of a command name.

    Attributes
    ----------
    images
        The set.
    chosen
        Which of its images to take.
    models
        The networks, where they compute.
    title
        Name of the set and its split, without the folder it happens to lie in.
    worker
        This process among those of a torchrun.
    """

    images: ImageSet
    chosen: tuple[int, ...]
    models: tuple[PretrainedModel, ...]
    title: str
    worker: Worker

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.worker.device

    def photographs(self, block: Sequence[int]) -> dict[int, Image.Image]:
        """The images of a block that can be read, by their number."""
        found = {}
        for number in block:
            try:
                found[number] = self.images.read(number)
            except OSError:
                continue
        return found

    def describe(self, number: int) -> dict[str, Any]:
        """Columns that say which image a row is of."""
        return {
            "image": number, "name": self.images.names[number], "label": self.images.labels[number],
        }  # fmt: skip


@dataclass(frozen=True)
class ImageRun:
    """A finished run.

    Attributes
    ----------
    rows
        Of all images that could be read.
    models
        The networks.
    unreadable
        Names of the images that could not be decoded and have no rows.
    provenance
        How it was made, and over how many images.
    """

    rows: pd.DataFrame
    models: tuple[PretrainedModel, ...]
    unreadable: tuple[str, ...]
    provenance: Provenance


# Makes the rows of a block; calls the function with the share of the block that is done, 0 to 1.
Measure = Callable[[OpenRun, Sequence[int], Callable[[float], None]], pd.DataFrame]


def add_run_arguments(parser: argparse.ArgumentParser, name: str, batch: int) -> None:
    """Declare the options that every such command has.

    Parameters
    ----------
    parser
        Of the command.
    name
        The command's.
    batch
        Images measured together unless told.
    """
    parser.add_argument(
        "--data", required=True,
        help="image Parquet, a folder of such files, or a folder with one subfolder a class",
    )  # fmt: skip
    parser.add_argument("--split", default="test", help="test unless told")
    parser.add_argument(
        "--network", nargs="+", default=[name for name, *_ in EMBEDDED], metavar="NAME",
        help="names of `python -m xdnn_core models`, or files with weights; the embedded pair "
        "unless told",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, help="that many images, evenly over the set")
    parser.add_argument(
        "--batch", type=int, default=batch, help=f"images measured together (default: {batch})"
    )
    parser.add_argument("--device", help="cpu or cuda; the best at hand unless told")
    parser.add_argument(
        "--work", type=Path, default=Path("out") / name,
        help=f"folder for finished blocks (default: out/{name})",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("out") / f"{name}.parquet",
        help=f"result, with a .json beside it (default: out/{name}.parquet)",
    )  # fmt: skip


def add_steps_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the number of gradient calls of Integrated Gradients."""
    parser.add_argument(
        "--steps", type=int, default=STEPS,
        help=f"gradient calls of Integrated Gradients (default: {STEPS}, as in the paper)",
    )  # fmt: skip


def check_steps(steps: int) -> int:
    """The number of gradient calls, if there is one at least.

    Raises
    ------
    UserError
        If it is below 1.
    """
    if steps < 1:
        raise UserError(f"--steps is {steps}; give 1 or more gradient calls.")
    return steps


def open_run(args: argparse.Namespace) -> OpenRun:
    """Open what the options name; no work is done before all of it is found to fit.

    Raises
    ------
    UserError
        If the set or a network cannot be opened, their classes differ, or a number is below 1.
    """
    if args.batch < 1:
        raise UserError(f"--batch is {args.batch}; give 1 or more images.")
    images = open_image_set(args.data, args.split)
    chosen = spread_over(len(images), args.limit)
    worker = join_workers(args.device)
    models = tuple(_open_network(name, worker.device) for name in args.network)
    for model in models:
        _check_classes(model, images)
    title = f"{Path(args.data).resolve().name}, {args.split}"
    return OpenRun(images, tuple(chosen), models, title, worker)


def _open_network(name: str, device: torch.device) -> PretrainedModel:
    """A network of the catalogue, or of the user's own file."""
    if Path(name).is_file():
        return load_model_file(name, device=device)
    return load_model(name, device)


def _check_classes(model: PretrainedModel, images: ImageSet) -> None:
    """Raise unless label i of the set is logit i of the network."""
    theirs = list(images.classes)
    if model.classes == theirs:
        return
    # The folders of ImageNet carry WordNet numbers, whose order is that of the logits; files of
    # one's own may name no classes.
    numbered = all(_WORDNET_ID.fullmatch(name) for name in theirs)
    nameless = model.classes == [str(number) for number in range(len(model.classes))]
    if len(theirs) == len(model.classes) and (
        (numbered and len(theirs) == IMAGENET_CLASSES) or nameless
    ):
        return
    if len(theirs) != len(model.classes):
        differing = f"the image set has {len(theirs)}"
    else:
        at = next(i for i, name in enumerate(theirs) if name != model.classes[i])
        differing = f"class {at} is {model.classes[at]!r} there and {theirs[at]!r} in the image set"
    raise UserError(
        f"{model.name} knows {len(model.classes)} classes, {differing}; give a set with the "
        "classes of this network, in its order."
    )


def run_over_images(
    args: argparse.Namespace, name: str, measure: Measure, note: dict[str, Any]
) -> ImageRun | None:
    """Measure an image set block by block, together with the other processes of a torchrun.

    Parameters
    ----------
    args
        With the options of `add_run_arguments`.
    name
        The command's.
    measure
        Makes the rows of one block of --batch images.
    note
        What else the rows depend on; blocks made with another note are not mixed in.

    Returns
    -------
    ImageRun or None
        None in all processes but the first, which have nothing to report.

    Raises
    ------
    UserError
        As `open_run`; or if the folder is another run's, or no image can be read.
    """
    run = open_run(args)
    note = {
        "experiment": name,
        "images": image_fingerprint(run.images),
        "networks": [network_fingerprint(model.network) for model in run.models],
        **note,
    }
    rows = run_blocks(
        BlockFolder(args.work, note), run.chosen, args.batch,
        lambda block, share: measure(run, block, share), name, run.worker,
    )  # fmt: skip
    if rows is None:
        return None
    read = set(rows["image"])
    unreadable = tuple(run.images.names[number] for number in run.chosen if number not in read)
    made = provenance(run.title, len(read), run.device)
    return ImageRun(rows, run.models, unreadable, made)


def counted(made: Provenance, unreadable: Sequence[str]) -> str:
    """How many images a result is over, and which could not be read, in one line."""
    text = f"{made.data_set}: {made.images:,} images"
    if unreadable:
        shown = ", ".join(unreadable[:5]) + (" …" if len(unreadable) > 5 else "")
        text += f", {len(unreadable)} unreadable ({shown})"
    return text


def spread_over(count: int, limit: int | None) -> list[int]:
    """Choose images evenly over a set, which is often sorted by class.

    Parameters
    ----------
    count
        Images in the set.
    limit
        How many to take; None, or more than there are, for all.

    Raises
    ------
    UserError
        If the limit is below 1.
    """
    if limit is not None and limit < 1:
        raise UserError(f"--limit is {limit}; give 1 or more images.")
    if limit is None or limit >= count:
        return list(range(count))
    # The middles of `limit` equal parts.
    return ((np.arange(limit) + 0.5) * count / limit).astype(int).tolist()


def network_fingerprint(network: nn.Module) -> str:
    """Name a network by its parameters."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def image_fingerprint(images: ImageSet) -> str:
    """Name an image set by the names, labels and sizes of its images."""
    digest = hashlib.sha256()
    for name, label, encoded in zip(images.names, images.labels, images.encoded, strict=True):
        size = encoded.stat().st_size if isinstance(encoded, Path) else len(encoded)
        digest.update(f"{name}\0{label}\0{size}\0".encode())
    return digest.hexdigest()[:16]
