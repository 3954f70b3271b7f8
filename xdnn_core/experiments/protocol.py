"""Long runs over an image set in blocks that survive a kill.

Every block is one Parquet file, written beside its place and renamed into it, so what is there is
whole. A note in the folder says what the blocks are of; those of another run are not mixed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from xdnn_core.errors import UserError
from xdnn_core.experiments.workers import Worker
from xdnn_core.io import atomic_write, claim_folder

# Makes the rows of a block; calls the function with the share of the block that is done, 0 to 1.
Compute = Callable[[Sequence[int], Callable[[float], None]], pd.DataFrame]


@dataclass(frozen=True)
class BlockFolder:
    """Where the finished blocks of one run lie.

    Attributes
    ----------
    path
        The folder.
    note
        What the blocks are of, plain values.
    """

    path: Path
    note: dict[str, Any]

    def claim(self) -> None:
        """Note what the folder's blocks are of, or check that they are of the same.

        Raises
        ------
        UserError
            If they are of another run.
        """
        claim_folder(self.path, self.note, "run.json")

    def file_of(self, images: Sequence[int]) -> Path:
        """Where the block of these images lies."""
        return self.path / f"images-{images[0]:06d}-{images[-1]:06d}-{len(images)}.parquet"


def run_blocks(
    folder: BlockFolder,
    images: Sequence[int],
    size: int,
    compute: Compute,
    title: str,
    worker: Worker | None = None,
) -> pd.DataFrame | None:
    """Compute what is not there yet and return the rows of all images.

    Parameters
    ----------
    folder
        Finished blocks are found and kept here.
    images
        Which images.
    size
        Images a block.
    compute
        Makes the rows of one block; none for images that cannot be read.
    title
        Of the progress bar, which shows the time left.
    worker
        This process among several that share the blocks; None if it is alone.

    Returns
    -------
    pandas.DataFrame or None
        None in all processes but the first.

    Raises
    ------
    UserError
        If the folder belongs to another run, or no image could be read.
    """
    folder.claim()
    blocks = [images[at : at + size] for at in range(0, len(images), size)]
    # Every process knows its blocks by their place, whatever the others have finished by now.
    mine = blocks if worker is None else blocks[worker.rank :: worker.world_size]
    missing = [block for block in mine if not folder.file_of(block).is_file()]
    total = sum(map(len, mine))
    with tqdm(
        total=total, initial=total - sum(map(len, missing)), desc=title,
        disable=not (worker is None or worker.is_main),
        bar_format="{desc}: {percentage:5.1f}% |{bar}| {elapsed}, {remaining} left{postfix}",
    ) as bar:  # fmt: skip
        for block in missing:
            _run_block(folder, block, compute, bar)
    if worker is not None:
        worker.barrier()
        if not worker.is_main:
            return None
    frames = [pd.read_parquet(folder.file_of(block)) for block in blocks]
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        raise UserError(f"None of the {len(images)} images could be read; check the files.")
    return pd.concat(filled, ignore_index=True)


def _run_block(folder: BlockFolder, block: Sequence[int], compute: Compute, bar: tqdm) -> None:
    before = bar.n
    bar.set_postfix_str(f"{int(before)} of {bar.total} images")

    def share(done: float) -> None:
        bar.update(before + done * len(block) - bar.n)

    rows = compute(block, share)
    with atomic_write(folder.file_of(block)) as temporary:
        rows.to_parquet(temporary, index=False)
    share(1.0)
