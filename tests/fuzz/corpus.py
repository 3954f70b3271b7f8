"""Small files to begin with, ways to spoil them, and what a reader may take for one."""

from __future__ import annotations

import io
import resource
import struct
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from PIL import Image

from xdnn_core.data.cohorts.load import load_cohort
from xdnn_core.data.uploads import MIN_SIDE, read_photo
from xdnn_core.errors import UserError

MAX_SECONDS: Final = 5.0  # of one core
MAX_MEGABYTES: Final = 300

# what to do, where, how many bytes, which bytes
Step = tuple[str, int, int, bytes]
STEPS: Final = ("overwrite", "insert", "delete", "repeat", "cut", "number")


def read_photograph(data: bytes) -> None:
    """Read a photograph and look at what came out."""
    photo = read_photo(data)
    assert photo.mode == "RGB"
    assert min(photo.size) >= MIN_SIDE


def read_own_cohort(data: bytes) -> None:
    """Read a CSV file as the page does."""
    cohort = load_cohort(data)
    assert cohort.features.shape == (len(cohort.labels), len(cohort.columns))
    assert not np.isinf(cohort.features).any()


def read_weights(data: bytes) -> None:
    """Read a network of the user's own."""
    from xdnn_core.models.zoo import load_model_file  # torch takes seconds to import

    load_model_file(data)


READERS: Final[dict[str, Callable[[bytes], object]]] = {
    "photograph": read_photograph,
    "csv": read_own_cohort,
    "weights": read_weights,
}


def seeds(kind: str) -> list[bytes]:
    """A few small files for a reader, in every layout it knows."""
    return {"photograph": _photographs, "csv": _tables, "weights": _weights}[kind]()


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def gradient(width: int = 48, height: int = 40) -> Image.Image:
    """Red runs left to right, green top to bottom."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 90)], 2).astype(np.uint8))


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _photographs() -> list[bytes]:
    image = gradient()
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        encode(image, "PNG", exif=exif),
        encode(image.quantize(16), "PNG", transparency=3),
        encode(image.convert("RGBA"), "PNG", save_all=True, append_images=[image.convert("RGBA")]),
        encode(Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40)), "PNG"),
        encode(image, "JPEG", exif=exif, progressive=True, icc_profile=bytes(300)),
        encode(image.convert("CMYK"), "JPEG"),
        encode(image, "WEBP", lossless=True, exif=exif),
        encode(image.convert("RGBA"), "WEBP"),
        encode(image, "WEBP", save_all=True, append_images=[image.rotate(9)]),
    ]


def _tables() -> list[bytes]:
    rows = [(20.5 + i % 7, "abc"[i % 3], i % 2) for i in range(60)]
    lines = ["age,colour,dead", *(f"{a},{b},{c}" for a, b, c in rows)]
    return [
        "\n".join(lines).encode(),
        "\r\n".join(lines).replace("age", '"a\nge"').encode("utf-8-sig"),
        "\r".join(lines).replace(",", ";").replace(".", ",").encode("cp1252"),
        "\n".join(lines).replace(",", "\t").encode("utf-16"),
    ]


def _weights() -> list[bytes]:
    import torch
    from safetensors.torch import save as to_safetensors

    shapes = {"features.module.0.weight": (2, 3), "classifier.1.weight": (2, 2),
              "classifier.6.weight": (3, 2), "classifier.6.bias": (3,)}  # fmt: skip
    state = {key: torch.ones(shape) for key, shape in shapes.items()}
    files = [to_safetensors(state, {"classes": '["a"]', "size": "224"})]
    for zipped in (True, False):
        buffer = io.BytesIO()
        torch.save({"state_dict": state, "epoch": 3}, buffer, _use_new_zipfile_serialization=zipped)
        files.append(buffer.getvalue())
    return files


def spoiled(seed: bytes, steps: Sequence[Step]) -> bytes:
    """A file after these steps, positions taken modulo its length."""
    data = bytearray(seed)
    for what, where, length, content in steps:
        at = where % max(1, len(data))
        if what == "overwrite":
            data[at : at + len(content)] = content
        elif what == "insert":
            data[at:at] = content
        elif what == "delete":
            del data[at : at + length]
        elif what == "repeat":
            data[at:at] = data[at : at + length] * min(
                1 + where % 3000, 2 * 10**6 // max(1, length)
            )
        elif what == "cut":
            del data[at:]
        else:  # a number of four bytes, where lengths and sizes stand
            data[at : at + 4] = struct.pack("<I" if where % 2 else ">I", length * 2**16 % 2**32)
    return bytes(data)


def repaired(data: bytes) -> bytes:
    """Right checksums of a PNG's chunks, so that a mutation reaches what lies behind them."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        parts.append(chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return b"".join(parts)


def peak() -> float:
    """The most memory this process has had, MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def try_case(kind: str, data: bytes) -> str:
    """Read a file; the sentence it was refused with, empty where it was accepted.

    Anything but a `UserError` goes through, and so does too long a time or too much memory.
    """
    before, start, said = peak(), time.process_time(), ""
    try:
        READERS[kind](data)
    except UserError as error:
        said = str(error)
        assert said.endswith("."), said
        assert len(said) < 1000, said
    seconds, megabytes = time.process_time() - start, peak() - before
    assert seconds <= MAX_SECONDS, f"{seconds:.1f} s of one core"
    assert megabytes <= MAX_MEGABYTES, f"{megabytes:.0f} MB more"
    return said


def warm_up(kind: str) -> None:
    """Read every seed once, so that what is imported and cached is not counted."""
    for data in seeds(kind):
        try_case(kind, data)
