"""The work a file may ask of a decoder is bounded before it starts; cameras' files pass."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from tests.data.test_uploads import refused
from tests.fuzz.corpus import chunk, encode, gradient
from xdnn_core.data import uploads
from xdnn_core.data.containers import MAX_CHUNKS, MAX_SCANS, MAX_SEGMENTS
from xdnn_core.data.uploads import UploadError, read_photo

JPEG = encode(gradient(), "JPEG", subsampling=0)
PNG = encode(gradient(), "PNG")
WEBP = encode(gradient(), "WEBP")


def with_scans(count: int) -> bytes:
    """A baseline JPEG whose first component comes in empty scans."""
    tables = JPEG[: JPEG.index(b"\xff\xda")]
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 63, 0)
    return tables + scan * count + b"\xff\xd9"


def in_jpeg(segments: bytes) -> bytes:
    return JPEG[:2] + segments + JPEG[2:]


def in_png(chunks: bytes) -> bytes:
    return PNG[:33] + chunks + PNG[33:]


def in_webp(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(WEBP) - 8 + len(chunks)) + WEBP[8:] + chunks


def exif_of(count: int, size: int) -> bytes:
    """A TIFF block whose entries all name the same bytes."""
    entries = b"".join(struct.pack(">HHII", tag + 1, 7, size, 8) for tag in range(count))
    return b"MM\0*\0\0\0\x08" + struct.pack(">H", count) + entries + bytes(4)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (with_scans(5_000), f"more than {MAX_SCANS} scans"),
        (in_jpeg(b"\xff\xe1\0\x08Exif\0\0" * 600_000), f"more than {MAX_SEGMENTS:,} segments"),
        (in_jpeg(b"\xff\xfe\0\x02" * 100_000), f"more than {MAX_SEGMENTS:,} segments"),
        (in_jpeg(b"\xff\x01" * 100_000), f"more than {MAX_SEGMENTS:,} segments"),
        (in_png(chunk(b"IDAT", b"") * 500_000), f"more than {MAX_CHUNKS:,} chunks"),
        (in_png(chunk(b"tEXt", b"a\0b") * 99_000), f"more than {MAX_CHUNKS:,} chunks"),
        (in_webp(b"JUNK\0\0\0\0" * 99_000), f"more than {MAX_CHUNKS:,} chunks"),
    ],
    ids=["empty scans", "EXIF segments", "comments", "empty markers", "empty IDAT", "texts",
         "WebP chunks"],
)  # fmt: skip
def test_more_work_than_any_camera_asks_for_is_refused(data: bytes, named: str) -> None:
    assert named in refused(data)


@pytest.mark.parametrize(
    "data",
    [
        in_png(chunk(b"eXIf", exif_of(60_000, 700_000))),
        in_png(chunk(b"iCCP", b"a\0\0" + bytes(100)) * 2),
        in_webp(b"EXIF" + struct.pack("<I", 720_014) + exif_of(60_000, 700_000)),
    ],
    ids=["PNG EXIF", "PNG profiles", "WebP EXIF"],
)
def test_metadata_is_never_parsed_by_a_decoder(data: bytes, monkeypatch) -> None:
    """60,000 EXIF entries of 700 kB each, all the same bytes, would be copied to 42 GB."""
    given: list[bytes] = []
    opened = Image.open

    def watched(file: io.BytesIO, **options: object) -> Image.Image:
        given.append(file.getvalue())
        return opened(file, **options)

    monkeypatch.setattr(uploads.Image, "open", watched)
    assert read_photo(data).size == (48, 40)
    assert all(name not in given[0] for name in (b"eXIf", b"EXIF", b"iCCP"))


def test_photographs_of_cameras_and_editors_keep_their_pixels() -> None:
    """Progressive with EXIF, XMP, ICC, comment, restarts, and a second picture behind the first."""
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x927C] = bytes(60_000)
    options = {"exif": exif, "icc_profile": bytes(200_000), "xmp": b"<x/>" * 9_000, "comment": b"c"}
    image = gradient(400, 300)
    files = [
        encode(image, "JPEG", progressive=True, **options),
        encode(image, "JPEG", quality=97, subsampling=0, restart_marker_rows=1, **options),
        encode(image, "MPO", save_all=True, append_images=[image.resize((64, 48))]),
        encode(image.convert("L"), "JPEG", optimize=True) + b"\xff" * 999,
        encode(image, "PNG", **{key: options[key] for key in ("exif", "icc_profile")}),
        encode(image, "WEBP", lossless=True, **{key: options[key] for key in ("exif", "xmp")}),
    ]
    assert files[0].count(b"\xff\xda") >= 10
    for data in files:
        with Image.open(io.BytesIO(data)) as expected:
            np.testing.assert_array_equal(read_photo(data), expected.convert("RGB"))


def test_large_photographs_are_averaged_down_and_small_ones_are_not() -> None:
    image = gradient(4000, 3000)
    photo = read_photo(encode(image, "PNG", compress_level=1))
    assert photo.size == (2000, 1500)
    np.testing.assert_array_equal(photo, image.reduce(2))
    from_jpeg = read_photo(encode(image, "JPEG", quality=95))
    assert from_jpeg.size == (2000, 1500)
    assert np.abs(np.asarray(from_jpeg, int) - np.asarray(photo, int)).mean() < 2
    assert read_photo(encode(gradient(2000, 1999), "JPEG")).size == (2000, 1999)


def test_strips_join_without_a_seam() -> None:
    values = np.random.default_rng(0).integers(0, 256, (900, 2100, 4), np.uint8)
    image = Image.fromarray(values)
    white = Image.new("RGBA", image.size, "white")
    np.testing.assert_array_equal(
        read_photo(encode(image, "PNG", compress_level=1)),
        Image.alpha_composite(white, image).convert("RGB"),
    )


def test_one_decodes_at_a_time(monkeypatch) -> None:
    """Whoever decodes holds the lock; a refused or damaged file gives it back."""
    held: list[bool] = []
    convert = uploads.to_rgb

    def watched(image: Image.Image) -> Image.Image:
        held.append(uploads._ONE_AT_A_TIME.locked())
        return convert(image)

    monkeypatch.setattr(uploads, "to_rgb", watched)
    read_photo(PNG)
    for broken in (PNG[:60], JPEG[:300], WEBP[:40]):
        with pytest.raises(UploadError):
            read_photo(broken)
    assert held == [True]
    assert not uploads._ONE_AT_A_TIME.locked()
