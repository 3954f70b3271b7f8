"""What the pixels of a JPEG, PNG or WebP file need, found in one bounded pass.

Decoders work as long as a file tells them to: every scan is a pass over the picture, every segment
and chunk a turn of a loop, every EXIF entry a copy. So the container is walked before a decoder
sees it; scans, segments and chunks are counted, and only what carries pixels goes on.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from xdnn_core.errors import UserError

# Progressive photographs have about ten scans, the most elaborate scripts of encoders under forty.
# A scan over 24 megapixels takes up to 20 ms, however few bytes it has.
MAX_SCANS: Final = 100
# 10 MB of full segments (64 kB: EXIF, XMP, ICC, previews) are 160; tables between scans add a few.
MAX_SEGMENTS: Final = 1_000
# 10 MB in the 8 kB pieces that PNG writers use are 1,300.
MAX_CHUNKS: Final = 20_000

_SEGMENT = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_SEGMENT_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_WITHOUT_BODY: Final = {0x01, *range(0xD0, 0xD9)}
_APPLICATION: Final = {0xFE, *range(0xE0, 0xF0)}  # and comments
_TELL_COLOURS: Final = ((0xE0, b"JFIF\0"), (0xEE, b"Adobe"))  # RGB, YCbCr, inverted CMYK

_PNG_START: Final = b"\x89PNG\r\n\x1a\n"
_PNG_PIXELS: Final = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_WEBP_PIXELS: Final = {b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"}
_ORIENTATION_TAG, _SHORT = 0x0112, 3


class UploadError(UserError):
    """A file that is not a usable photograph; the message says what to do."""


def damaged() -> UploadError:
    """The sentence for a file that has the right beginning and cannot be decoded."""
    return UploadError(
        "The image is damaged or cut off and cannot be decoded; save it again or choose another."
    )


def jpeg_pixels(data: bytes) -> tuple[bytes, int]:
    """Keep tables, frame and scans of a JPEG, and the segments that tell its colours.

    Source: ITU-T T.81, Annex B.
    """
    kept, orientation, scans, segments, at = [b"\xff\xd8"], 1, 0, 0, 2
    while marker := _SEGMENT.search(data, at):
        at, code = marker.end(), data[marker.end() - 1]
        if code == _END:
            kept.append(b"\xff\xd9")
            break
        segments += 1
        if segments > MAX_SEGMENTS:
            raise _too_many(MAX_SEGMENTS, "segments")
        if code in _WITHOUT_BODY:
            continue
        end = at + int.from_bytes(data[at : at + 2], "big")
        if not at + 2 <= end <= len(data):
            raise damaged()
        body = data[at + 2 : end]
        if code == _SCAN:
            scans += 1
            if scans > MAX_SCANS:
                raise _too_many(MAX_SCANS, "scans")
            after = _SEGMENT_AFTER_SCAN.search(data, end)
            end = after.start() if after else len(data)
        elif code == 0xE1 and orientation == 1 and body.startswith(b"Exif\0\0"):
            orientation = _orientation(body[6:])
        if code not in _APPLICATION or any(
            code == known and body.startswith(name) for known, name in _TELL_COLOURS
        ):
            kept += [bytes((0xFF, code)), data[at:end]]
        at = end
    return b"".join(kept), orientation


def png_pixels(data: bytes) -> tuple[bytes, int]:
    """Keep the chunks of a PNG that its pixels need.

    Source: ISO/IEC 15948, Section 5.3.
    """
    kept, orientation, at = [_PNG_START], 1, len(_PNG_START)
    for _ in range(MAX_CHUNKS):
        if at == len(data):
            break
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            raise damaged()
        kind = data[at + 4 : at + 8]
        if kind in _PNG_PIXELS:
            kept.append(data[at:end])
        elif kind == b"eXIf":
            orientation = _orientation(data[at + 8 : end - 4])
        at = end
        if kind == b"IEND":
            break
    else:
        raise _too_many(MAX_CHUNKS, "chunks")
    return b"".join(kept), orientation


def webp_pixels(data: bytes) -> tuple[bytes, int]:
    """Keep the still picture of a WebP, or the first frame of an animation.

    Source: RFC 9649, Section 2.
    """
    kept: dict[bytes, bytes] = {}
    orientation, at = 1, 12
    stop = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    for _ in range(MAX_CHUNKS):
        if at >= stop:
            break
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size
        if end > len(data):
            raise damaged()
        if kind in _WEBP_PIXELS:
            kept.setdefault(kind, data[at:end] + bytes(size % 2))
        elif kind == b"EXIF":
            orientation = _orientation(data[at + 8 : end].removeprefix(b"Exif\0\0"))
        at = end + size % 2
    else:
        raise _too_many(MAX_CHUNKS, "chunks")
    body = b"WEBP" + b"".join(kept.values())
    return b"RIFF" + struct.pack("<I", len(body)) + body, orientation


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height a WebP declares in its first chunk, pixels.

    Source: RFC 9649, Section 2.
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
    raise damaged()


def _orientation(tiff: bytes) -> int:
    """EXIF orientation, 1 (upright) where there is none or the block is damaged."""
    order = ">" if tiff.startswith(b"MM") else "<"
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, first)
        for at in range(first + 2, first + 2 + 12 * entries, 12):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, at)
            if tag == _ORIENTATION_TAG and kind == _SHORT:
                (value,) = struct.unpack_from(f"{order}H", tiff, at + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _too_many(most: int, what: str) -> UploadError:
    """The sentence for a file in more pieces than any camera or editor writes."""
    return UploadError(
        f"The image is stored in more than {most:,} {what}, the most that are read; save it again "
        "with an image program or choose another."
    )
