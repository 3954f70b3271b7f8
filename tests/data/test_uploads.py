"""Every file a stranger may upload gives an RGB photograph or one friendly sentence."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.fuzz.corpus import chunk, encode, gradient
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.data.uploads import MAX_BYTES, MIN_SIDE, UploadError, read_photo, to_rgb


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG put together by hand, for what Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(extra)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def refused(data: bytes) -> str:
    with pytest.raises(UploadError) as caught:
        read_photo(data)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert ". " not in message, "one sentence"
    return message


def test_png_comes_back_exactly():
    photo = read_photo(encode(gradient(), "PNG"))
    assert photo.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(photo), np.asarray(gradient()))


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 95}), ("WEBP", {}),
                                               ("JPEG", {"progressive": True})])  # fmt: skip
def test_lossy_formats_come_back_nearly(kind, options):
    photo = read_photo(encode(gradient(), kind, **options))
    difference = np.asarray(photo, int) - np.asarray(gradient(), int)
    assert photo.mode == "RGB"
    assert np.abs(difference).mean() < 6


def test_lossless_webp_comes_back_exactly():
    photo = read_photo(encode(gradient(), "WEBP", lossless=True))
    np.testing.assert_array_equal(np.asarray(photo), np.asarray(gradient()))


def test_16_bit_grey_is_rescaled_and_not_cut():
    values = np.linspace(0, 65535, 40 * 40).reshape(40, 40).astype(np.uint16)
    photo = read_photo(encode(Image.fromarray(values), "PNG"))
    expected = np.round(values / 257).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(photo), np.repeat(expected[..., None], 3, 2))


def test_16_bit_colour_is_rescaled():
    values = np.zeros((40, 40, 3), ">u2")
    values[..., 0], values[..., 1], values[..., 2] = 65535, 257 * 100, 0
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    photo = read_photo(png(40, 40, 16, 2, rows))
    assert photo.getpixel((5, 5)) == (255, 100, 0)


def test_16_bit_transparent_colours_become_white():
    values = np.full((40, 40, 3), 257 * 100, ">u2")
    values[:, :20] = 0x0764
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    keyed = chunk(b"tRNS", struct.pack(">HHH", *[0x0764] * 3))
    photo = read_photo(png(40, 40, 16, 2, rows, keyed))
    assert photo.getpixel((5, 5)) == (255, 255, 255)
    assert photo.getpixel((30, 5)) == (100, 100, 100)


def test_16_bit_transparent_grey_becomes_white():
    values = np.full((40, 40), 257 * 100, ">u2")
    values[:, :20] = 300
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    photo = read_photo(png(40, 40, 16, 0, rows, chunk(b"tRNS", struct.pack(">H", 300))))
    assert photo.getpixel((5, 5)) == (255, 255, 255)
    assert photo.getpixel((30, 5)) == (100, 100, 100)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_alpha_is_put_over_white(kind):
    image = Image.new("RGBA", (40, 40), (200, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 40))
    image.paste((0, 0, 0, 51), (20, 0, 40, 20))
    photo = read_photo(encode(image, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert photo.getpixel((5, 5)) == (255, 255, 255)
    assert photo.getpixel((30, 30)) == (200, 0, 0)
    assert photo.getpixel((30, 5)) == (204, 204, 204)  # 20 % black over white


def test_grey_with_alpha_is_put_over_white():
    image = Image.new("LA", (40, 40), (10, 0))
    image.paste((10, 255), (20, 0, 40, 40))
    photo = read_photo(encode(image, "PNG"))
    assert photo.getpixel((5, 5)) == (255, 255, 255)
    assert photo.getpixel((30, 5)) == (10, 10, 10)


def test_palette_with_a_transparent_entry():
    image = Image.new("P", (40, 40), 0)
    image.putpalette([1, 2, 3, 40, 50, 60] + [0] * 762)
    image.paste(1, (20, 0, 40, 40))
    photo = read_photo(encode(image, "PNG", transparency=0))
    assert photo.getpixel((5, 5)) == (255, 255, 255)
    assert photo.getpixel((30, 5)) == (40, 50, 60)


def test_one_bit_image():
    image = Image.new("1", (40, 40), 0)
    image.paste(1, (20, 0, 40, 40))
    photo = read_photo(encode(image, "PNG"))
    assert photo.getpixel((5, 5)) == (0, 0, 0)
    assert photo.getpixel((30, 5)) == (255, 255, 255)


def test_cmyk_jpeg_from_adobe_is_not_inverted():
    # Pillow writes the Adobe marker and stores the four channels inverted, as Photoshop does.
    data = encode(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in data
    red, green, blue = read_photo(data).getpixel((20, 20))
    assert red > 245
    assert green < 10
    assert blue < 10


def test_greyscale_jpeg():
    photo = read_photo(encode(Image.new("L", (40, 40), 77), "JPEG"))
    assert photo.getpixel((20, 20)) == (77, 77, 77)


@pytest.mark.parametrize("mode", ["I", "I;16", "F"])
def test_wide_modes_become_rgb(mode):
    values = np.linspace(0, 65535, 1600).reshape(40, 40)
    kinds = {"I": np.int32, "I;16": np.uint16, "F": np.float32}
    image = Image.fromarray(values.astype(kinds[mode]))
    assert image.mode == mode
    photo = to_rgb(image)
    assert photo.mode == "RGB"
    assert photo.getpixel((0, 0)) == (0, 0, 0)
    assert photo.getpixel((39, 39)) == (255, 255, 255)
    assert np.all(np.diff(np.asarray(photo)[..., 0].ravel().astype(int)) >= 0)


def test_float_image_without_a_finite_value():
    assert to_rgb(Image.fromarray(np.full((4, 4), np.nan, np.float32))).getpixel((0, 0)) == (0,) * 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(kind, orientation):
    # The corner that must come out at the top left, as (row, column) of the stored image.
    corner = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0),
              5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[orientation]  # fmt: skip
    stored = np.zeros((40, 64, 3), np.uint8)
    rows, columns = slice(20 * corner[0], 20 * corner[0] + 20), slice(32 * corner[1], None)
    stored[rows, columns if corner[1] else slice(0, 32)] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = read_photo(encode(Image.fromarray(stored), kind, exif=exif))
    assert photo.size == ((40, 64) if orientation >= 5 else (64, 40))
    bright = np.asarray(photo.convert("L")) > 127
    height, width = bright.shape
    assert bright[: height // 2 - 4, : width // 2 - 4].all()
    assert bright.mean() == pytest.approx(0.25, abs=0.02)


def test_damaged_exif_does_not_lose_the_photograph():
    data = encode(gradient(), "JPEG", exif=b"Exif\0\0" + b"MM\0*\xff\xff\xff\xff garbage")
    assert read_photo(data).size == (48, 40)


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_first_frame_of_an_animation(kind):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=100,
                  **({"lossless": True} if kind == "WEBP" else {}))  # fmt: skip
    assert read_photo(data).getpixel((20, 20)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "empty"),
        (encode(gradient(), "GIF"), "GIF"),
        (encode(gradient(), "BMP"), "BMP"),
        (encode(gradient(), "TIFF"), "TIFF"),
        (b"%PDF-1.7\n%abc", "PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypisom", "video"),
        (b"<!doctype html><html></html>", "web page"),
        (b"PK\x03\x04", "ZIP"),
        (b"hello, world", "not a JPEG, PNG or WebP"),
        (b"RIFF\0\0\0\0WAVE", "not a JPEG, PNG or WebP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "not a JPEG, PNG or WebP"),
    ],
)
def test_other_kinds_are_named_and_refused(data, named):
    assert named in refused(data)


def test_too_many_bytes():
    assert "10 MB" in refused(b"\x89PNG\r\n\x1a\n" + bytes(MAX_BYTES))


def test_exactly_the_allowed_bytes_are_read():
    data = encode(gradient(), "JPEG")
    assert read_photo(data + bytes(MAX_BYTES - len(data))).size == (48, 40)


def test_24_megapixels_are_read_and_more_are_not():
    assert read_photo(encode(Image.new("1", (6000, 4000)), "PNG")).size == (2000, 1334)
    assert "24 megapixels" in refused(encode(Image.new("1", (6000, 4001)), "PNG"))
    large = encode(Image.new("RGB", (4000, 4001)), "WEBP", lossless=True, method=0)
    assert "16 megapixels are allowed in a WebP" in refused(large)


@pytest.mark.parametrize("side", [20_000, 2**31 - 1])
def test_declared_size_is_checked_before_decoding(side):
    assert "megapixels" in refused(png(side, side, 8, 2, b"\0"))


def test_webp_canvas_is_checked_before_it_is_allocated(monkeypatch):
    body = struct.pack("<I", 0) + (16_000 - 1).to_bytes(3, "little") * 2
    data = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + body
    monkeypatch.setattr(Image, "open", None)  # nothing may be opened
    assert "16000 × 16000" in refused(data)


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08"}])
@pytest.mark.parametrize("size", [(33, 41), (257, 64)])
def test_webp_size_is_read_from_every_kind_of_header(options, size):
    assert read_photo(encode(gradient(*size), "WEBP", **options)).size == size
    small = encode(gradient(size[0], MIN_SIDE - 1), "WEBP", **options)
    assert f"{size[0]} × {MIN_SIDE - 1} pixels" in refused(small)


def test_short_side():
    assert read_photo(encode(gradient(MIN_SIDE, 400), "PNG")).size == (MIN_SIDE, 400)
    assert "31 × 400" in refused(encode(gradient(MIN_SIDE - 1, 400), "PNG"))


@pytest.mark.parametrize("size", [(32, 20_000), (20_000, 32), (32, 700_000)])
def test_very_long_images_survive_preprocessing(size):
    image = Image.new("RGB", size, "black")
    centre = (size[0] // 2, size[1] // 2)
    image.paste("white", (centre[0] - 500, centre[1] - 500, centre[0] + 500, centre[1] + 500))
    photo = read_photo(encode(image, "PNG"))
    assert max(photo.size) <= 64 * min(photo.size)  # at 224 px wide it stays under 4 megapixels
    seen = Preprocessing().crop(photo)
    assert seen.size == (224, 224)
    assert seen.getextrema() == ((255, 255),) * 3  # the centre is still the centre


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_truncated_files(kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode(Image.fromarray(noise), kind)
    assert "damaged" in refused(data[: max(12, int(len(data) * share))])


def test_palette_image_without_a_palette():
    rows = (b"\0" + bytes(40)) * 40
    assert "damaged" in refused(png(40, 40, 8, 3, rows))
