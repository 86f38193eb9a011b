"""One picture file as 8-bit RGB, whatever mode and bit depth Pillow gives it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from equivariance.errors import reason

# Modes that Pillow converts to RGB without clipping. Transparency is ignored, as torchvision's ImageFolder does.
EIGHT_BIT = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"}
SIXTEEN_BIT = {"I;16", "I;16B", "I;16L", "I;16N"}
# Tags of TIFF 6.0: bits of a sample; 1 not compressed; 0 where 0 is white; 2 for a plane a colour; 2 for signed.
BITS, COMPRESSION, PHOTOMETRIC, PLANES, FORMAT = 258, 259, 262, 284, 339


class UnusableError(Exception):
    """A file that is no picture we can use; the message is the reason."""


def read(file: Path) -> Image.Image:
    """A picture file, upright (EXIF orientation) and in mode RGB.

    Sixteen-bit grey is scaled by its type's range, floating point grey from 0..1; the other integers are refused, since
    nothing says which number is white.

    Raises:
        UnusableError: no picture, a broken one, or one whose white is not known.
        OSError: the system cannot read the file now.
    """
    try:
        content = file.read_bytes()
    except PermissionError as error:
        raise UnusableError(error.strerror) from error
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            full = _full_scale(image)
            inverted = full is not None and _tiff(image, PHOTOMETRIC) == 0
            upright = ImageOps.exif_transpose(image)
            upright.info.pop("transparency", None)  # of which Pillow would warn
    except (UnusableError, MemoryError):
        raise
    except UnidentifiedImageError as error:  # whose message names a place in memory
        raise UnusableError("no picture of a kind that Pillow reads") from error
    except Exception as error:  # decoders fail on foreign bytes in every way there is
        raise UnusableError(reason(error)) from error
    return upright.convert("RGB") if full is None else _scaled(np.asarray(upright, np.float64), full, inverted)


def _full_scale(image: Image.Image) -> float | None:
    """The number that stands for white; None where Pillow knows it itself."""
    if image.format == "TIFF":
        _check_tiff(image)
    if image.mode in EIGHT_BIT:
        return None
    if image.mode in SIXTEEN_BIT:
        return 2.0 ** (_tiff(image, BITS) or 16) - 1
    if image.mode == "I" and image.format == "PPM":  # which Pillow scales to sixteen bits
        return 65535.0
    if image.mode == "F":
        return 1.0
    raise UnusableError(
        f"{image.mode} is no mode with a known white; allowed: 8 or 16 bits, or floating point from 0 to 1"
    )


def _check_tiff(image: Any) -> None:
    """Refuses what Pillow 13 opens and reads wrongly."""
    if _tiff(image, FORMAT) == 2:
        raise UnusableError("signed integers, which have no known white; allowed: unsigned")
    planes = len(image.getbands()) > 1 and _tiff(image, PLANES) == 2 and _tiff(image, BITS) != 8
    swapped = image.mode == "F" and image.tag_v2.prefix == b"MM" and _tiff(image, COMPRESSION) != 1
    if planes or swapped:
        raise UnusableError(
            "a layout that Pillow reads wrongly; allowed: colours side by side, floats in little-endian"
        )


def _tiff(image: Image.Image, tag: int) -> int | None:
    value = getattr(image, "tag_v2", {}).get(tag)
    return value[0] if isinstance(value, tuple) else value


def _scaled(values: np.ndarray, full: float, inverted: bool) -> Image.Image:
    """Grey values [h, w] from 0 to `full` as RGB."""
    if not (values.min() >= 0 and values.max() <= full):  # NaN fails too
        raise UnusableError(f"values from {values.min():g} to {values.max():g}; allowed: 0 to {full:g}")
    grey = np.rint((full - values if inverted else values) * (255 / full)).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")
