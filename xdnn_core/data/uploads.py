"""Photographs from strangers: read safely, or refused in one sentence.

The format is told from the content, never from a name, the work and the size from the container,
before a pixel is decoded. What comes out is always 8-bit RGB, upright, on white, and of a size that
a session can keep.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
from PIL import ExifTags, Image, ImageOps

from xdnn_core.data.containers import (
    UploadError,
    damaged,
    jpeg_pixels,
    png_pixels,
    webp_pixels,
    webp_size,
)
from xdnn_core.errors import UserError

MAX_MEGABYTES: Final = 10
MAX_BYTES: Final = MAX_MEGABYTES * 10**6
MIN_SIDE: Final = 32
# Decoding takes 4 to 8 bytes a pixel, of a JPEG fewer since it is decoded reduced; of a WebP up to
# 16, since libwebp keeps two canvases beside the picture. 300 MB are the most that one may take.
MAX_PIXELS: Final = {"JPEG": 24_000_000, "PNG": 24_000_000, "WEBP": 16_000_000}
# Networks see 224 to 1,024 pixels a side; a larger photograph is averaged down to at most this.
KEPT_PIXELS: Final = 4_000_000

# Bringing the short side of a strip 32 px wide and 750,000 long to 224 px would make an image
# of a billion pixels. The network sees the centre square only, so the far ends are cut here.
_MAX_ASPECT: Final = 64
_STRIP_PIXELS: Final = 500_000
_PIXELS_OF: Final = {"JPEG": jpeg_pixels, "PNG": png_pixels, "WEBP": webp_pixels}
# Uploads of all sessions queue here: two decoders at once would take twice the memory.
_ONE_AT_A_TIME: Final = Lock()

# What Pillow's readers raise on damaged files, over all three formats.
_DECODING_ERRORS: Final = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, MemoryError,
    RuntimeError, AssertionError, struct.error, zlib.error, Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)  # fmt: skip

_OTHER_KINDS: Final = (
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"BM", "a BMP image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"PK", "a ZIP archive or an office document"),
    (b"8BPS", "a Photoshop file"),
)


def read_photo(data: bytes) -> Image.Image:
    """Turn the bytes of an uploaded JPEG, PNG or WebP into an upright RGB image."""
    kind = _check_kind(data)
    pixels, orientation = _PIXELS_OF[kind](data)
    # Pillow allocates a WebP's canvas on opening, so its size is read from the header first.
    if kind == "WEBP":
        _check_size(*webp_size(pixels), kind)
    try:
        with _ONE_AT_A_TIME, Image.open(io.BytesIO(pixels), formats=(kind,)) as image:
            _check_size(*image.size, kind)
            factor = _reduction(image.size)
            image.draft(None, (image.width // factor, image.height // factor))  # JPEG only
            image.load()
            if image.mode == "P" and image.palette is None:
                raise damaged()
            photo = _in_strips(image)
    except UploadError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UploadError(_too_many_pixels(None, kind)) from error
    except _DECODING_ERRORS as error:
        raise damaged() from error
    if orientation > 1:
        photo.getexif()[ExifTags.Base.Orientation] = orientation
        ImageOps.exif_transpose(photo, in_place=True)
    return photo


def read_photo_file(path: Path) -> Image.Image:
    """Read a photograph of the command line, as `read_photo` does."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read; give a JPEG, PNG or WebP file.") from error
    return read_photo(data)


def _reduction(size: tuple[int, int]) -> int:
    """By how many pixels a side to average, so that at most `KEPT_PIXELS` are kept."""
    left, top, right, bottom = _centre(size)
    return math.ceil(math.sqrt((right - left) * (bottom - top) / KEPT_PIXELS))


def _centre(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box of an image without the ends of a very long one."""
    width, height = size
    longest = _MAX_ASPECT * min(width, height)
    w, h = min(width, longest), min(height, longest)
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def _in_strips(image: Image.Image) -> Image.Image:
    """The centre of a loaded image in RGB, reduced, with the memory of a strip beside the two."""
    left, top, right, bottom = _centre(image.size)
    factor = _reduction(image.size)
    rows = factor * max(1, _STRIP_PIXELS // (factor * (right - left)))
    size = math.ceil((right - left) / factor), math.ceil((bottom - top) / factor)
    photo = Image.new("RGB", size)
    for y in range(top, bottom, rows):
        strip = to_rgb(image.crop((left, y, right, min(y + rows, bottom))))
        photo.paste(strip.reduce(factor), (0, (y - top) // factor))
    return photo


def to_rgb(image: Image.Image) -> Image.Image:
    """Bring an image of any mode to 8-bit RGB, transparency put over white."""
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


def _check_kind(data: bytes) -> str:
    """Tell the format from the first bytes, refusing all but three."""
    if not data:
        raise UploadError("The file is empty; choose a JPEG, PNG or WebP image.")
    if len(data) > MAX_BYTES:
        raise UploadError(
            f"The file is larger than {MAX_MEGABYTES} MB, the most that is allowed; save it "
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


def _check_size(width: int, height: int, kind: str) -> None:
    """Refuse an image of too many or too few pixels."""
    if width * height > MAX_PIXELS[kind]:
        raise UploadError(_too_many_pixels((width, height), kind))
    if min(width, height) < MIN_SIDE:
        raise UploadError(
            f"The image is {width} × {height} pixels; it needs at least {MIN_SIDE} on its short "
            "side, so choose a larger one."
        )


def _too_many_pixels(size: tuple[int, int] | None, kind: str) -> str:
    """The sentence for an image that would be too large once decoded."""
    claim = f"is {size[0]} × {size[1]} pixels" if size else "declares hundreds of megapixels"
    advice = "as JPEG" if kind == "WEBP" else "smaller"
    return (
        f"The image {claim}; at most {MAX_PIXELS[kind] // 10**6} megapixels are allowed in a "
        f"{kind.replace('WEBP', 'WebP')}, so save it {advice} and choose it again."
    )
