"""Convert a decoded image of any mode, profile and EXIF orientation to upright sRGB."""

import contextlib
import io
import struct
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, ImageChops, ImageCms
from PIL import Image as Pillow

from retrieval.types import Image

NEUTRAL_GREY = (128, 128, 128)
BAND = 256
"""Rows converted at once, so that no full-size intermediate copies are needed."""
ToRGB = Callable[[Pillow.Image], Pillow.Image]
SIDEWAYS = (5, 6, 7, 8)
# By EXIF orientation: a view of an upright array in the camera's storage order.
AS_STORED: dict[int, Callable[[Image], Image]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright.swapaxes(0, 1)[::-1],
    7: lambda upright: upright.swapaxes(0, 1)[::-1, ::-1],
    8: lambda upright: upright.swapaxes(0, 1)[:, ::-1],
}

# Exceptions that Pillow raises on damaged files, from fuzzing all supported formats and from known decoder errors.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    RuntimeError,
    TypeError,
    EOFError,
    ArithmeticError,
    MemoryError,
    IndexError,
    KeyError,
    struct.error,
    Pillow.DecompressionBombError,
    Pillow.DecompressionBombWarning,
)


def to_rgb(picture: Pillow.Image) -> Image:
    """The pixels (H, W, 3) of a loaded image, upright and read-only. Transparency becomes grey."""
    orientation = orientation_of(picture)
    width, height = picture.size
    upright = np.empty((width, height, 3) if orientation in SIDEWAYS else (height, width, 3), np.uint8)
    stored = AS_STORED[orientation](upright)  # a view of the same pixels
    deep = picture.mode in ("I", "F") or picture.mode.startswith("I;16")
    to_rgb = _from_deep_grey(picture) if deep else _from_colours(picture)
    for top, band in _bands(picture):
        stored[top : top + BAND] = np.asarray(to_rgb(band))
    upright.setflags(write=False)
    return upright


def orientation_of(picture: Pillow.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if missing or invalid."""
    with contextlib.suppress(*DECODER_ERRORS):  # ignore damaged EXIF
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        return orientation if orientation in AS_STORED else 1
    return 1


def _bands(picture: Pillow.Image) -> Iterator[tuple[int, Pillow.Image]]:
    for top in range(0, picture.height, BAND):
        yield top, picture.crop((0, top, picture.width, min(top + BAND, picture.height)))


def _from_deep_grey(picture: Pillow.Image) -> ToRGB:
    """Scale 16-bit, 32-bit and float greys to 8 bits. Pillow's own conversion clips instead."""
    if picture.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    else:
        extremes = [(float(v.min()), float(v.max())) for v in (_finite(band) for _, band in _bands(picture))]
        low, high = min(least for least, _ in extremes), max(most for _, most in extremes)
        usual = (65535,) if picture.mode == "I" else (1, 255)
        low, high = next(((0.0, float(end)) for end in usual if low >= 0 and high <= end), (low, high))
    scale = 255 / max(high - low, 1e-12)
    return lambda band: Pillow.fromarray(np.rint((_finite(band) - low) * scale).astype(np.uint8)).convert("RGB")


def _finite(band: Pillow.Image) -> NDArray[np.float64]:
    values: NDArray[np.float64] = np.nan_to_num(np.asarray(band), nan=0, posinf=0, neginf=0).astype(np.float64)
    return values


def _from_colours(picture: Pillow.Image) -> ToRGB:
    to_srgb = _to_srgb(picture)
    if not picture.has_transparency_data:
        return to_srgb

    def on_grey(band: Pillow.Image) -> Pillow.Image:
        band = band.convert("RGBA")
        canvas = Pillow.new("RGB", band.size, NEUTRAL_GREY)
        canvas.paste(to_srgb(band.convert("RGB")), mask=band.getchannel("A"))
        return canvas

    return on_grey


def _to_srgb(picture: Pillow.Image) -> ToRGB:
    """Convert opaque colours to sRGB, by the ICC profile if there is a usable one."""
    as_is = picture.mode in ("L", "CMYK", "LAB") and not picture.has_transparency_data
    mode = picture.mode if as_is else "RGB"  # the colour mode of the profile
    transform = _profile_transform(picture, mode)
    # Adobe stores CMYK JPEGs inverted, and Pillow assumes that of every CMYK JPEG
    inverted = picture.mode == "CMYK" and picture.format == "JPEG" and "adobe" not in picture.info

    def to_srgb(band: Pillow.Image) -> Pillow.Image:
        band = ImageChops.invert(band) if inverted else band
        return transform.apply(band.convert(mode)) if transform else band.convert("RGB")

    return to_srgb


def _profile_transform(picture: Pillow.Image, mode: str) -> ImageCms.ImageCmsTransform | None:
    if mode != "LAB" and "icc_profile" not in picture.info:
        return None
    try:
        profile = io.BytesIO(picture.info.get("icc_profile", b""))
        source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB") if mode == "LAB" else profile)
        if "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return ImageCms.ImageCmsTransform(source, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")), mode, "RGB")
    except (ImageCms.PyCMSError, *DECODER_ERRORS):
        return None  # unusable profile: treat the colours as sRGB
