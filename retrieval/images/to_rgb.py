"""Convert a decoded image of any mode, profile and EXIF orientation to upright sRGB."""

import contextlib
import io
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, ImageChops, ImageCms
from PIL import Image as Pillow

from retrieval.images.colour_spaces import described_space
from retrieval.images.deep_greys import find_grey_scale
from retrieval.types import Image

NEUTRAL_GREY = (128, 128, 128)
BAND = 256
"""Rows converted at once, so that no full-size intermediate copies are needed."""
ToRGB = Callable[[Pillow.Image], Pillow.Image]
SAME_COLOUR = 2
"""Difference of 8-bit values that no one sees."""
PROFILE_BYTES = 4_000_000
"""A longer colour profile is ignored. Those of printers have up to 3 MB."""
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


def to_rgb(picture: Pillow.Image, data: bytes, pixels: NDArray[np.uint8] | None = None) -> Image:
    """The pixels (H, W, 3) of an image, upright and read-only. Transparency becomes grey.

    `data` are the bytes of its file. `pixels` are those in its mode, if it is not loaded itself.
    """
    orientation = orientation_of(picture)
    deep = picture.mode in ("I", "F") or picture.mode.startswith("I;16")
    transform = None if deep else _colour_transform(picture, data)
    if pixels is not None and picture.mode == "RGB" and not picture.has_transparency_data and transform is None:
        return turned(pixels, orientation)
    width, height = picture.size if pixels is None else (pixels.shape[1], pixels.shape[0])
    upright = np.empty((width, height, 3) if orientation in SIDEWAYS else (height, width, 3), np.uint8)
    stored = AS_STORED[orientation](upright)  # a view of the same pixels
    convert = (
        find_grey_scale(picture, (band for _, band in _bands(picture))).to_rgb
        if deep
        else _from_colours(picture, transform)
    )
    for top, band in _bands(picture, pixels):
        stored[top : top + BAND] = np.asarray(convert(band))
    upright.setflags(write=False)
    return upright


def turned(stored: Image, orientation: int) -> Image:
    """An image in the camera's storage order, upright and read-only. It is not copied if it is upright already."""
    if orientation == 1:
        stored.setflags(write=False)
        return stored
    height, width = stored.shape[:2]
    upright = np.empty((width, height, 3) if orientation in SIDEWAYS else (height, width, 3), np.uint8)
    AS_STORED[orientation](upright)[...] = stored
    upright.setflags(write=False)
    return upright


def orientation_of(picture: Pillow.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if missing or invalid, or if the decoder has turned the picture already."""
    if picture.format == "JXL" and not getattr(picture, "jpeg", False):
        return 1
    with contextlib.suppress(*DECODER_ERRORS):  # ignore damaged EXIF
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        return orientation if orientation in AS_STORED else 1
    return 1


def _bands(picture: Pillow.Image, pixels: NDArray[np.uint8] | None = None) -> Iterator[tuple[int, Pillow.Image]]:
    """The first row of each band, and the band."""
    for top in range(0, picture.height if pixels is None else len(pixels), BAND):
        if pixels is None:
            yield top, picture.crop((0, top, picture.width, min(top + BAND, picture.height)))
        else:
            rows = pixels[top : top + BAND]
            yield top, Pillow.frombytes(picture.mode, (rows.shape[1], len(rows)), rows)


def _from_colours(picture: Pillow.Image, transform: ToRGB | None) -> ToRGB:
    to_srgb = _to_srgb(picture, transform)
    if not picture.has_transparency_data:
        return to_srgb

    def on_grey(band: Pillow.Image) -> Pillow.Image:
        band = band.convert("RGBA")
        canvas = Pillow.new("RGB", band.size, NEUTRAL_GREY)
        canvas.paste(to_srgb(band.convert("RGB")), mask=band.getchannel("A"))
        return canvas

    return on_grey


def _to_srgb(picture: Pillow.Image, transform: ToRGB | None) -> ToRGB:
    """Convert opaque colours to sRGB, with the transform of their colour space if it has one."""
    mode = _colour_mode(picture)
    # Adobe stores CMYK JPEGs inverted, and Pillow assumes that of every CMYK JPEG
    inverted = picture.mode == "CMYK" and picture.format == "JPEG" and "adobe" not in picture.info

    def to_srgb(band: Pillow.Image) -> Pillow.Image:
        band = ImageChops.invert(band) if inverted else band
        return transform(band.convert(mode)) if transform else band.convert("RGB")

    return to_srgb


def _colour_mode(picture: Pillow.Image) -> str:
    """The mode of the colours that a profile describes."""
    as_is = picture.mode in ("L", "CMYK", "LAB") and not picture.has_transparency_data
    return picture.mode if as_is else "RGB"


def _colour_transform(picture: Pillow.Image, data: bytes) -> ToRGB | None:
    """What converts colours to sRGB, by the description of their colour space; None if there is no usable one."""
    with contextlib.suppress(ImageCms.PyCMSError, *DECODER_ERRORS):  # unusable: treat the colours as sRGB
        space = described_space(picture, data)
        return space.to_srgb() if space else _by_profile(picture, _colour_mode(picture))
    return None


def _by_profile(picture: Pillow.Image, mode: str) -> ToRGB | None:
    if mode == "LAB":
        return _transform(ImageCms.createProfile("LAB"), mode).apply
    profile = picture.info.get("icc_profile")
    if not profile or len(profile) > PROFILE_BYTES or _is_srgb(profile, mode):
        return None
    return _transform(io.BytesIO(profile), mode).apply


def _transform(source: Any, mode: str, flags: ImageCms.Flags = ImageCms.Flags.NONE) -> ImageCms.ImageCmsTransform:
    profiles = ImageCms.ImageCmsProfile(source), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.ImageCmsTransform(*profiles, mode, "RGB", flags=flags)


def _is_srgb(profile: bytes, mode: str) -> bool:
    """Whether a profile changes no colour visibly. Its description may say anything."""
    if mode != "RGB":
        return False
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    few_colours = ImageCms.Flags.NOOPTIMIZE  # tables for many would take longer than the colours
    converted = np.asarray(_transform(io.BytesIO(profile), mode, few_colours).apply(Pillow.fromarray(colours)))
    return bool(np.abs(converted.astype(int) - colours).max() <= SAME_COLOUR)
