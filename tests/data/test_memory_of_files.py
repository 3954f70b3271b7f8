"""The largest files that are accepted take at most 300 MB more, measured in a fresh process."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.fuzz.corpus import MAX_MEGABYTES, chunk, encode
from xdnn_core.data.cohorts.csv_table import MAX_CELLS

ROOT = Path(__file__).parents[2]


def measured(kind: str, data: bytes, folder: Path) -> str:
    """Assert that reading stays within the limit; the sentence where it is refused."""
    file = folder / "file"
    file.write_bytes(data)
    command = [sys.executable, "-m", "tests.data.measure", kind, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    spent = json.loads(done.stdout.splitlines()[-1])
    assert spent["megabytes"] <= MAX_MEGABYTES
    return spent["said"]


def png_of(depth: int, colour: int, samples: int, *extra: bytes) -> bytes:
    """A PNG of 6000 × 4000 zeros, made a row at a time."""
    packer, row = zlib.compressobj(1), bytes(1 + 6000 * samples * depth // 8)
    rows = b"".join(packer.compress(row) for _ in range(4000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 6000, 4000, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def webp_of(width: int, height: int) -> bytes:
    return encode(Image.new("RGBA", (width, height), (9, 9, 9, 7)), "WEBP", lossless=True, method=0)


def cmyk() -> bytes:
    image = Image.linear_gradient("L").resize((6000, 4000)).convert("CMYK")
    return encode(image, "JPEG", progressive=True, subsampling=0, quality=30)


@pytest.mark.parametrize(
    "make",
    [
        lambda: png_of(16, 6, 4),
        lambda: png_of(16, 0, 1, chunk(b"tRNS", bytes(2))),
        lambda: png_of(8, 3, 1, chunk(b"PLTE", bytes(768)), chunk(b"tRNS", bytes(256))),
        lambda: webp_of(5000, 3200),
        cmyk,
    ],
    ids=["16-bit RGBA PNG", "16-bit grey PNG", "palette PNG", "lossless WebP", "CMYK JPEG"],
)
def test_largest_photographs(make: Callable[[], bytes], tmp_path: Path) -> None:
    assert measured("photograph", make(), tmp_path) == ""


def test_webp_of_24_megapixels_is_refused(tmp_path: Path) -> None:
    assert "16 megapixels" in measured("photograph", webp_of(6000, 4000), tmp_path)


def test_largest_table(tmp_path: Path) -> None:
    """Just under the limit of cells, the outcome missing in every third row."""
    rows = MAX_CELLS // 100
    cells = ",".join(f"{number / 7:.5f}" for number in range(98, 195))
    names = ",".join(f"c{number}" for number in range(99))
    lines = [f"dead,{names}"]
    lines += [f"{row % 2 if row % 3 else ''},{row},{cells[row % 3 :]},{row}" for row in range(rows)]
    data = "\n".join(lines).encode()
    assert measured("csv", data, tmp_path) == ""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"dead,x\n" + b"1.234567890123456789012345678,0\n" * 2_700_000, "1,000,000 rows"),
        (b"a,b\n" + (b"1," * 99_999 + b"0\n") * 60, "100,000 cells, more cells than"),
        (b"a,b\n" + b"," * 30_000_000, "goes on without an end"),
        (
            b"word,dead\n" + b"".join(b"w%d,%d\n" % (i % 1900, i % 2) for i in range(26_000)),
            "26,000 rows of 1,900 encoded columns",
        ),
        (
            b'"a\n",' + b",".join(b"c%d" % i for i in range(20_000)) + b"\n" + b"1," * 20_000,
            "20,001 columns",
        ),
    ],
    ids=["88 MB", "rows wider than the header", "one row", "levels", "newline in the header"],
)  # fmt: skip
def test_tables_over_the_limits_are_refused_early(data: bytes, said: str, tmp_path: Path) -> None:
    assert said in measured("csv", data, tmp_path)
