"""Bytes or a path become an upright RGB picture, or one plain sentence that says why not."""

import contextlib
import io
import os
import stat
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps, UnidentifiedImageError

from retrieval.errors import UnreadableImage
from retrieval.types import Box, Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
NEUTRAL_GREY = (128, 128, 128)
ADVICE = "Open it in an image editor and save it as JPEG or PNG."

# What Pillow raises on damaged files: read off a fuzz of all formats above, and what other decoders are known to add.
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


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much or too little for one picture; checked before any pixel is decoded."""

    file_bytes: int = 50_000_000
    pixels: int = 100_000_000
    longest_side: int = 20_000
    shortest_side: int = 8
    aspect: float = 50.0


LIMITS = Limits()
Pillow.MAX_IMAGE_PIXELS = LIMITS.pixels
# What Pillow mutters about odd metadata is not for the person in front of the screen.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def load_image(path: Path) -> Image:
    """The picture in a file. Raises UnreadableImage."""
    return decode_image(read_file(path), path.name)


def read_file(path: Path) -> bytes:
    """The bytes of a regular file within the size limit. Raises UnreadableImage."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableImage("special", f"{shown(path.name)} is not a file.")
        if found.st_size > LIMITS.file_bytes:
            raise _too_many_bytes(path.name, found.st_size)
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableImage("missing", f"There is no file {shown(str(path))}.") from None
    except PermissionError:
        raise UnreadableImage("permission", f"{shown(path.name)} may not be read; change its permissions.") from None
    except OSError as error:
        raise UnreadableImage("unreadable", f"{shown(path.name)} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # a name that no disk can hold
        raise UnreadableImage("unreadable", f"{shown(path.name)} cannot be read: {error}.") from None


def decode_image(data: bytes, name: str = "The picture") -> Image:
    """The picture in some bytes; `name` is only used in sentences. Raises UnreadableImage."""
    name = shown(name)
    if not data:
        raise UnreadableImage("empty", f"{name} is empty (0 bytes).")
    if len(data) > LIMITS.file_bytes:
        raise _too_many_bytes(name, len(data))
    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture, name)
            picture.load()
            return np.asarray(_upright_rgb(picture))
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise UnreadableImage(
            "too_large", f"{name} has more than {LIMITS.pixels // 10**6} million pixels; make it smaller."
        ) from None
    except UnidentifiedImageError:
        raise UnreadableImage(
            "not_an_image", f"{name} is not a picture in a known format (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF)."
        ) from None
    except DECODER_ERRORS as error:
        if "truncated" in str(error).lower() or isinstance(error, EOFError):
            raise UnreadableImage("truncated", f"{name} is cut off; get the complete file.") from None
        raise UnreadableImage("damaged", f"{name} is damaged and cannot be decoded. {ADVICE}") from None


def resize_image(image: Image, width: int, height: int) -> Image:
    """Bicubic with antialiasing. (H, W, 3) -> (height, width, 3)."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BICUBIC))


def crop_image(image: Image, box: Box) -> Image:
    """A view of the pixels inside a box that lies within the image."""
    return image[box.y0 : box.y1, box.x0 : box.x1]


def thumbnail(image: Image, side: int = 320, quality: int = 80) -> bytes:
    """A baseline JPEG whose longest side is at most `side`, without any metadata of the original."""
    small = Pillow.fromarray(image)
    small.thumbnail((side, side), Pillow.Resampling.BICUBIC)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=quality)
    return out.getvalue()


def shown(name: str) -> str:
    """A file name as it may stand in a sentence: printable, and not longer than a line."""
    safe = printable(name)
    return safe if len(safe) <= 80 else f"{safe[:50]}…{safe[-25:]}"


def printable(name: str) -> str:
    """All of a file name on one line; what cannot be shown, a line break for one, is replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in os.fspath(name))


def _too_many_bytes(name: str, size: int) -> UnreadableImage:
    return UnreadableImage(
        "file_too_large",
        f"{shown(name)} is {size / 1e6:.0f} MB; pictures may have up to {LIMITS.file_bytes / 1e6:.0f} MB.",
    )


def _check_size(picture: Pillow.Image, name: str) -> None:
    width, height = picture.size
    size = f"{name} is {width} x {height} pixels"
    if width * height > LIMITS.pixels or max(width, height) > LIMITS.longest_side:
        raise UnreadableImage("too_large", f"{size}, more than this program takes; make it smaller.")
    if min(width, height) < LIMITS.shortest_side:
        raise UnreadableImage("too_small", f"{size}; each side must have at least {LIMITS.shortest_side}.")
    if max(width, height) > LIMITS.aspect * min(width, height):
        raise UnreadableImage("bad_aspect", f"{size}, too long and thin to search in; cut it into parts.")


def _upright_rgb(picture: Pillow.Image) -> Pillow.Image:
    profile = picture.info.get("icc_profile")
    with contextlib.suppress(*DECODER_ERRORS):  # a broken EXIF block says nothing about the pixels: take them as stored
        picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return _rescaled(picture).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        canvas = Pillow.new("RGBA", picture.size, NEUTRAL_GREY)
        return Pillow.alpha_composite(canvas, picture).convert("RGB")
    return _in_srgb(picture, profile).convert("RGB")


def _rescaled(picture: Pillow.Image) -> Pillow.Image:
    """16-bit, 32-bit and float greys to 8 bits; Pillow's own conversion clips instead."""
    values = np.asarray(picture).astype(np.float64)
    values = np.nan_to_num(values, nan=0, posinf=0, neginf=0)
    low, high = values.min(), values.max()
    if picture.mode.startswith("I;16") or (picture.mode == "I" and low >= 0 and high <= 65535):
        low, high = 0, 65535
    elif low >= 0 and high <= 1:
        low, high = 0, 1
    elif low >= 0 and high <= 255:
        low, high = 0, 255
    scaled = (values - low) * (255 / max(high - low, 1e-12))
    return Pillow.fromarray(np.rint(scaled).astype(np.uint8))


def _in_srgb(picture: Pillow.Image, profile: bytes | None) -> Pillow.Image:
    if not profile or picture.mode not in ("RGB", "CMYK", "L"):
        return picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return picture
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB") or picture
    except (ImageCms.PyCMSError, *DECODER_ERRORS):
        return picture  # a broken colour profile: the plain conversion is close enough
