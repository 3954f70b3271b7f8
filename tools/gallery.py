"""Take the gallery's photographs of Caltech-101 out of its test split.

    python -m tools.gallery DATA/test-00000-of-00001.parquet

The files are copied byte for byte; the split is the one the embedded pair was tested on, not
trained.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pyarrow.parquet as parquet

from xdnn_core.io import GALLERY

# By file in assets/gallery, its row in the test split.
ROWS: Final = {
    "beaver": 125, "binoculars": 278, "butterfly": 176, "camera": 553, "dalmatian": 542,
    "elephant": 330, "emu": 1474, "ferry": 152, "flamingo": 939, "kangaroo": 285, "mug": 737,
    "panda": 519, "pigeon": 15, "pizza": 632, "platypus": 739, "rhino": 1053, "rooster": 992,
    "schooner": 276, "scorpion": 704, "seahorse": 283, "stop_sign": 628, "sunflower": 1131,
    "water_lily": 913, "wild_cat": 535,
}  # fmt: skip


def main(source: str) -> None:
    """Write the files."""
    images = parquet.read_table(source, columns=["image"])["image"]
    for name, row in ROWS.items():
        file = GALLERY / f"{name}.webp"
        file.write_bytes(images[row].as_py()["bytes"])
        print(f"{file.name}: {file.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main(*(str(Path(argument)) for argument in sys.argv[1:]))
