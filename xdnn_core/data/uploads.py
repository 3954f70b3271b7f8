"""Photographs from strangers: read safely, or refused in one sentence.

The format is told from the content, never from a name, and the size from the header, before a
pixel is decoded. What comes out is always 8-bit RGB, upright, on white.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Final

import numpy as np
from PIL import ExifTags, Image

from xdnn_core.errors import UserError

MAX_BYTES: Final = 10 * 1024**2
MAX_PIXELS: Final = 24_000_000
MIN_SIDE: Final = 32
FORMATS: Final = ("JPEG", "PNG", "WEBP")

# A progressive JPEG repeats passes over the whole picture; ten are usual. A hostile file of
# 10 MB could hold hundreds of thousands, each costing a full pass.
_MAX_JPEG_SCANS: Final = 500
# Bringing the short side of a strip 32 px wide and 750,000 long to 224 px would make an image
# of a billion pixels. The network sees the centre square only, so the far ends are cut here.
_MAX_ASPECT: Final = 64

# What Pillow's readers raise on damaged files, over all three formats.
_DECODING_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    MemoryError,
    RuntimeError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)

_ORIENTATION: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_OTHER_KINDS: Final = (
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"BM", "a BMP image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"PK", "a ZIP archive or an office document"),
    (b"8BPS", "a Photoshop file"),
)


class UploadError(UserError):
    """A file that is not a usable photograph; the message says what to do."""


def read_photo(data: bytes) -> Image.Image:
    """Turn the bytes of an uploaded JPEG, PNG or WebP into an upright RGB image.

    Parameters
    ----------
    data
        The whole file, at most `MAX_BYTES` bytes.

    Returns
    -------
    PIL.Image.Image
        Mode RGB; EXIF rotation applied, 16-bit samples rescaled, transparency put over white,
        the first frame of an animation. The ends of an image more than 64 times as long as
        wide are cut off.

    Raises
    ------
    UploadError
        If the file is of another kind, too large in bytes or pixels, too small, or damaged.
    """
    kind = _check_kind(data)
    # Pillow allocates a WebP's canvas on opening, so its size is read from the header first.
    if kind == "WEBP":
        _check_size(*_webp_size(data))
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UploadError(_too_many_pixels(None)) from error
    except _DECODING_ERRORS as error:
        raise _damaged() from error
    with image:
        _check_size(*image.size)
        if image.info.get("progressive") and data.count(b"\xff\xda") > _MAX_JPEG_SCANS:
            raise _damaged()
        try:
            image.load()
            orientation = _orientation(image)
            photo = _cut_ends(to_rgb(image))
        except _DECODING_ERRORS as error:
            raise _damaged() from error
    return photo.transpose(_ORIENTATION[orientation]) if orientation in _ORIENTATION else photo


def read_photo_file(path: Path) -> Image.Image:
    """Read a photograph of the command line, as `read_photo` does.

    Raises
    ------
    ValueError
        If the file cannot be read or is no usable photograph.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read; give a JPEG, PNG or WebP file.") from error
    return read_photo(data)


def to_rgb(image: Image.Image) -> Image.Image:
    """Bring an image of any mode to 8-bit RGB, transparency put over white.

    Parameters
    ----------
    image
        A loaded image. ``I;16`` and ``I`` are taken as 16-bit greys; ``F``, which has no fixed
        range, is stretched from its smallest to its largest finite value.

    Returns
    -------
    PIL.Image.Image
        Mode RGB.
    """
    transparent = image.info.get("transparency")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64).clip(0, 65535)  # (H, W)
        grey = Image.fromarray(((values + 128) // 257).astype(np.uint8))
        if transparent is None:
            return grey.convert("RGB")
        opaque = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
        return _over_white(Image.merge("LA", (grey, opaque)))
    if image.mode == "F":
        return _stretch(np.asarray(image)).convert("RGB")
    if transparent is not None and isinstance(transparent, tuple) and max(transparent) > 255:
        # The transparent colour of a 16-bit PNG, whose samples Pillow cuts to the high byte.
        image = image.copy()
        image.info["transparency"] = tuple(value >> 8 for value in transparent)
    if image.has_transparency_data:
        return _over_white(image)
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    """Composite an image with transparency over white."""
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _stretch(values: np.ndarray) -> Image.Image:
    """Grey image of floats (H, W), smallest finite value black, largest white."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) / ((high - low) or 1)
    return Image.fromarray((scaled * 255).round().astype(np.uint8))


def _cut_ends(image: Image.Image) -> Image.Image:
    """Cut the ends of a very long image, keeping its centre."""
    width, height = image.size
    longest = _MAX_ASPECT * min(width, height)
    if max(width, height) <= longest:
        return image
    w, h = min(width, longest), min(height, longest)
    left, top = (width - w) // 2, (height - h) // 2
    return image.crop((left, top, left + w, top + h))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 (upright) where there is none or the EXIF block is damaged."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DECODING_ERRORS:
        return 1
    return value if isinstance(value, int) else 1


def _check_kind(data: bytes) -> str:
    """Tell the format from the first bytes, refusing all but three.

    Raises
    ------
    UploadError
        If the file is empty, too large, or neither JPEG, PNG nor WebP.
    """
    if not data:
        raise UploadError("The file is empty; choose a JPEG, PNG or WebP image.")
    if len(data) > MAX_BYTES:
        raise UploadError(
            f"The file is larger than {MAX_BYTES // 1024**2} MB, the most that is allowed; save it "
            "smaller and choose it again."
        )
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    raise UploadError(f"The file is {_describe(data)}; choose a JPEG, PNG or WebP image instead.")


def _describe(data: bytes) -> str:
    """Say what a file is that is none of the three formats."""
    for start, kind in _OTHER_KINDS:
        if data.startswith(start):
            return kind
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        if brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
            return "a HEIC image"
        return "an AVIF image" if brand in (b"avif", b"avis") else "a video"
    text = data[:1024].lower()
    if b"<svg" in text:
        return "an SVG drawing"
    return "a web page" if b"<html" in text else "not a JPEG, PNG or WebP image"


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height a WebP declares, pixels (WebP container specification, RFC 9649).

    Raises
    ------
    UploadError
        If the first chunk is none of the three that carry a size.
    """
    chunk, body = data[12:16], data[20:30]
    if len(body) == 10 and chunk == b"VP8X":
        width, height = int.from_bytes(body[4:7], "little"), int.from_bytes(body[7:10], "little")
        return width + 1, height + 1
    if len(body) == 10 and chunk == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    if len(body) >= 5 and chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise _damaged()


def _check_size(width: int, height: int) -> None:
    """Refuse an image of too many or too few pixels.

    Raises
    ------
    UploadError
        If it is over `MAX_PIXELS` in all or under `MIN_SIDE` on its short side.
    """
    if width * height > MAX_PIXELS:
        raise UploadError(_too_many_pixels((width, height)))
    if min(width, height) < MIN_SIDE:
        raise UploadError(
            f"The image is {width} × {height} pixels; it needs at least {MIN_SIDE} on its short "
            "side, so choose a larger one."
        )


def _too_many_pixels(size: tuple[int, int] | None) -> str:
    """The sentence for an image that would be too large once decoded."""
    given = f"is {size[0]} × {size[1]} pixels" if size else "declares hundreds of megapixels"
    return (
        f"The image {given}; at most {MAX_PIXELS // 10**6} megapixels are allowed, so save it "
        "smaller and choose it again."
    )


def _damaged() -> UploadError:
    """The sentence for a file that has the right beginning and cannot be decoded."""
    return UploadError(
        "The image is damaged or cut off and cannot be decoded; save it again or choose another."
    )
