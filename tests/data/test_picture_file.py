"""Every Pillow mode and bit depth that can be written here is read right, or skipped with a reason; never clipped."""

import contextlib
import io
import itertools
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from equivariance.data.picture_file import UnusableError, read

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)
COLOUR = np.stack([GREY, GREY.T, 255 - GREY], -1)
WIDE = GREY.astype(np.uint16) * 257
# What Pillow calls each mode, as a picture whose right reading is GREY or COLOUR, or, for 1, black and white.
WRITTEN = {
    "1": Image.fromarray(GREY > 127),
    "L": Image.fromarray(GREY),
    "LA": Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(GREY.T)]),
    "La": Image.frombytes("La", (16, 16), np.stack([GREY, GREY], -1).tobytes()),
    "P": Image.fromarray(GREY).convert("P"),
    "PA": Image.fromarray(GREY).convert("PA"),
    "RGB": Image.fromarray(COLOUR),
    "RGBA": Image.fromarray(np.dstack([COLOUR, GREY])),
    "RGBX": Image.fromarray(COLOUR).convert("RGBX"),
    "RGBa": Image.frombytes("RGBa", (16, 16), np.dstack([COLOUR, GREY]).tobytes()),
    "CMYK": Image.fromarray(COLOUR).convert("CMYK"),
    "YCbCr": Image.fromarray(COLOUR).convert("YCbCr"),
    "LAB": Image.frombytes("LAB", (16, 16), COLOUR.tobytes()),
    "HSV": Image.fromarray(COLOUR).convert("HSV"),
    "I": Image.fromarray(WIDE.astype(np.int32)),
    "F": Image.fromarray((GREY / 255).astype(np.float32)),
    "I;16": Image.frombytes("I;16", (16, 16), WIDE.astype("<u2").tobytes()),
    "I;16L": Image.frombytes("I;16L", (16, 16), WIDE.astype("<u2").tobytes()),
    "I;16B": Image.frombytes("I;16B", (16, 16), WIDE.astype(">u2").tobytes()),
    "I;16N": Image.frombytes("I;16N", (16, 16), WIDE.astype("=u2").tobytes()),
}
# Lossless files of grey and colour, and what a mode may lose: YCbCr is rounded twice.
FILES = ("png", "tif", "bmp", "ppm")
LOSS = {"YCbCr": 3}


def pixels(file):
    return np.asarray(read(file)).astype(int)


def attempted(file):
    try:
        return pixels(file), ""
    except UnusableError as error:
        return None, str(error)


def expected(mode):
    if mode == "1":
        return np.repeat((GREY > 127)[..., None] * 255, 3, -1)
    colour = WRITTEN[mode].mode in ("RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")
    return COLOUR if colour else np.repeat(GREY[..., None], 3, -1)


def test_every_mode_of_pillow_is_tried():
    assert WRITTEN.keys() >= set(Image.MODES)


def kinds_of_files():
    """Each mode with each suffix under which Pillow writes it."""
    for mode, suffix in itertools.product(WRITTEN, FILES):
        with contextlib.suppress(OSError, KeyError, ValueError):
            WRITTEN[mode].save(io.BytesIO(), {"tif": "TIFF"}.get(suffix, suffix))
            yield mode, suffix


@pytest.mark.parametrize(("mode", "suffix"), list(kinds_of_files()))
def test_every_mode_is_read_right_or_skipped_with_a_reason(tmp_path, mode, suffix):
    file = tmp_path / f"x.{suffix}"
    WRITTEN[mode].save(file)
    if mode == "LAB" or (mode == "I" and suffix == "tif"):  # signed 32 bits
        with pytest.raises(UnusableError, match="allowed: "):
            read(file)
    else:
        assert np.abs(pixels(file) - expected(mode)).max() <= LOSS.get(mode, 0)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpegs_are_read_as_they_are(tmp_path, mode):
    smooth = Image.fromarray(GREY).resize((64, 64), Image.Resampling.BILINEAR)
    smooth.convert(mode).save(tmp_path / "x.jpg", quality=95)
    assert np.abs(pixels(tmp_path / "x.jpg") - np.asarray(smooth)[..., None]).max() <= 8


@pytest.mark.filterwarnings("error")
def test_transparency_is_ignored(tmp_path):
    for name, options in (
        ("P", {"transparency": 7}),
        ("P", {"transparency": bytes(range(256))}),
        ("L", {"transparency": 7}),
    ):
        WRITTEN[name].save(tmp_path / "x.png", **options)
        assert np.array_equal(pixels(tmp_path / "x.png"), expected(name))


def png(depth, colour, rows):
    """A PNG of raw rows [h, bytes], which Pillow itself cannot write at 16 bits in colour."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 16, 16, depth, colour, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("colour", "values"),
    [(0, GREY), (2, COLOUR), (4, np.stack([GREY, GREY.T], -1)), (6, np.dstack([COLOUR, GREY]))],
    ids=["grey", "rgb", "grey and alpha", "rgb and alpha"],
)
def test_sixteen_bit_pngs_are_scaled(tmp_path, colour, values):
    rows = (values.astype(">u2") * 257).astype(">u2").reshape(16, -1)
    (tmp_path / "x.png").write_bytes(png(16, colour, rows))
    assert np.array_equal(pixels(tmp_path / "x.png"), COLOUR if colour & 2 else expected("L"))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_pngs_of_few_bits_are_scaled(tmp_path, depth):
    values = GREY >> (8 - depth)
    bits = np.unpackbits(values[..., None], axis=-1)[..., -depth:]  # [h, w] -> [h, w, depth]
    (tmp_path / "x.png").write_bytes(png(depth, 0, np.packbits(bits.reshape(16, -1), axis=-1)))
    assert np.array_equal(pixels(tmp_path / "x.png")[..., 0], values * (255 // (2**depth - 1)))


def test_the_values_between_are_rounded(tmp_path):
    values = np.arange(0, 65536, 257 // 2, dtype=np.uint16)[:256].reshape(16, 16)
    Image.fromarray(values).save(tmp_path / "x.png")
    assert np.array_equal(pixels(tmp_path / "x.png")[..., 0], np.rint(values / 257))


def twelve_bits(values):
    """A little-endian TIFF [16, 16] of 12 bits a pixel."""
    pairs = values.reshape(-1, 2).astype(int)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], -1)
    content = packed.astype(np.uint8).tobytes()
    tags = {256: 16, 257: 16, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 16, 279: len(content)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = 8 + len(content)
    return b"II*\0" + struct.pack("<I", start) + content + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_twelve_bits_are_scaled_by_their_own_range(tmp_path):
    values = np.linspace(0, 4095, 256).astype(np.uint16).reshape(16, 16)
    (tmp_path / "x.tif").write_bytes(twelve_bits(values))
    assert np.array_equal(pixels(tmp_path / "x.tif")[..., 0], np.rint(values / 4095 * 255))


TIFFS = {
    "16 bits": (WIDE, "minisblack", {}),
    "16 bits, packed": (WIDE, "minisblack", {"compression": "zlib"}),
    "16 bits, 0 is white": (65535 - WIDE, "miniswhite", {}),
    "8 bits, 0 is white": (255 - GREY, "miniswhite", {}),
    "16 bits signed": (WIDE.astype(np.int16), "minisblack", {}),
    "8 bits signed": (GREY.astype(np.int8), "minisblack", {}),
    "32 bits": (WIDE.astype(np.uint32) * 65537, "minisblack", {}),
    "32 bits signed": (WIDE.astype(np.int32), "minisblack", {}),
    "float": ((GREY / 255).astype(np.float32), "minisblack", {}),
    "float, packed": ((GREY / 255).astype(np.float32), "minisblack", {"compression": "zlib"}),
    "float of halves, packed": (((GREY > 127) / 2).astype(np.float32), "minisblack", {"compression": "zlib"}),
    "float, 0 is white": ((1 - GREY / 255).astype(np.float32), "miniswhite", {}),
    "float to 255": (GREY.astype(np.float32), "minisblack", {}),
    "float below 0": (-(GREY / 255).astype(np.float32), "minisblack", {}),
    "NaN": (np.where(GREY > 3, np.nan, 0.5).astype(np.float32), "minisblack", {}),
    "infinity": (np.where(GREY > 3, np.inf, 0.5).astype(np.float32), "minisblack", {}),
    "half precision": ((GREY / 255).astype(np.float16), "minisblack", {}),
    "double precision": ((GREY / 255).astype(np.float64), "minisblack", {}),
    "colour of 16 bits": (COLOUR.astype(np.uint16) * 257, "rgb", {}),
    "colour of 16 bits, packed": (COLOUR.astype(np.uint16) * 257, "rgb", {"compression": "zlib"}),
    "colour of 16 bits in planes": (np.moveaxis(COLOUR, -1, 0).astype(np.uint16) * 257, "rgb", {"planarconfig": 2}),
    "colour of 8 bits in planes": (np.moveaxis(COLOUR, -1, 0).copy(), "rgb", {"planarconfig": 2}),
    "colour of 16 bits signed": (COLOUR.astype(np.int16), "rgb", {}),
    "colour of 32 bits": (COLOUR.astype(np.uint32), "rgb", {}),
    "colour of floats": ((COLOUR / 255).astype(np.float32), "rgb", {}),
}
# What has to be read, not skipped.
COMMON = {"16 bits", "16 bits, 0 is white", "8 bits, 0 is white", "colour of 16 bits", "float"}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", TIFFS)
def test_tiffs_are_read_right_or_skipped_with_a_reason(tmp_path, name, order):
    values, photometric, options = TIFFS[name]
    tifffile.imwrite(tmp_path / "x.tif", values, byteorder=order, photometric=photometric, **options)
    found, reason = attempted(tmp_path / "x.tif")
    if found is None:
        assert reason
        assert reason.isprintable()
        assert name not in COMMON or (order, photometric) == (">", "miniswhite"), reason
        return
    right = COLOUR if photometric == "rgb" else np.repeat(GREY[..., None], 3, -1)
    if "halves" in name:
        right = (np.repeat(GREY[..., None], 3, -1) > 127) * 128
    assert np.array_equal(found, right)


UPRIGHT = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # orientation -> the transposition that undoes it


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
def test_pictures_are_turned_as_their_exif_orientation_says(tmp_path, suffix, orientation):
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8], upright[:8, 16:], upright[8:, :8] = 255, 90, 180
    image, turn, exif = Image.fromarray(upright), UPRIGHT[orientation], Image.Exif()
    exif[0x112] = orientation
    stored = image if turn is None else image.transpose(Image.Transpose(turn))
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100}}.get(suffix, {})
    stored.save(tmp_path / f"x.{suffix}", exif=exif, **options)
    found = pixels(tmp_path / f"x.{suffix}")
    assert found.shape == upright.shape
    assert np.abs(found - upright).max() <= 3


def test_sixteen_bits_are_turned_too(tmp_path):
    exif = Image.Exif()
    exif[0x112] = 3
    Image.fromarray(WIDE[::-1, ::-1].copy()).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(pixels(tmp_path / "x.png")[..., 0], GREY)


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0garbage garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f"])
def test_a_broken_exif_block_turns_nothing(tmp_path, exif):
    Image.fromarray(GREY).save(tmp_path / "x.jpg", exif=exif, quality=100)
    assert np.abs(pixels(tmp_path / "x.jpg")[..., 0] - GREY).max() <= 3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp", "bmp", "ppm"])
def test_damaged_files_are_skipped_with_a_printable_reason_and_nothing_else(tmp_path, suffix):
    Image.fromarray(COLOUR).save(tmp_path / f"x.{suffix}")
    whole, rng, skipped = (tmp_path / f"x.{suffix}").read_bytes(), np.random.default_rng(0), 0
    for _ in range(60):
        damaged = bytearray(whole[: rng.integers(len(whole))] if rng.random() < 0.3 else whole)
        for place in rng.integers(0, max(1, min(len(damaged), 200)), 3):
            damaged[place : place + 1] = bytes([rng.integers(256)])
        (tmp_path / "y").write_bytes(damaged)
        found, reason = attempted(tmp_path / "y")
        skipped += found is None
        assert reason.isprintable()
        assert "0x" not in reason  # no place in memory
    assert skipped
