"""Decode files into upright RGB images, or raise UnreadableImage with the reason."""

import io
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from retrieval.errors import UnreadableImage
from retrieval.images.limits import FORMATS, LIMITS, TIFF_STARTS
from retrieval.images.to_rgb import DECODER_ERRORS, SIDEWAYS, orientation_of, to_rgb
from retrieval.printable_names import shown
from retrieval.types import Image

ADVICE = "Open it in an image editor and save it as JPEG or PNG."


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """A decoded image and facts about its file."""

    image: Image
    width: int
    height: int
    """Size of the upright original in pixels; `image` may be smaller."""


Pillow.MAX_IMAGE_PIXELS = LIMITS.pixels
# Users cannot act on Pillow's warnings about odd metadata.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def load_image(path: Path) -> Image:
    """Decode a file. Raises UnreadableImage."""
    return decode_image(read_file(path), path.name)


def read_file(path: Path) -> bytes:
    """Read a regular file within the size limit. Raises UnreadableImage."""
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
    except (OSError, ValueError) as error:  # ValueError: invalid file name
        reason = getattr(error, "strerror", error)
        raise UnreadableImage("unreadable", f"{shown(path.name)} cannot be read: {reason}.") from None


def decode_image(data: bytes, name: str = "The picture") -> Image:
    """Decode a file's bytes. `name` is only used in messages. Raises UnreadableImage."""
    return decode_picture(data, name).image


def decode_picture(data: bytes, name: str = "The picture", enough: int | None = None) -> LoadedImage:
    """Decode a file's bytes, with its original size. `name` is only used in messages. Raises UnreadableImage.

    If a longest side of `enough` pixels suffices, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size but no smaller than
    that, which saves time and memory. Size limits apply to the original.
    """
    name = shown(name)
    if not data:
        raise UnreadableImage("empty", f"{name} is empty (0 bytes).")
    if len(data) > LIMITS.file_bytes:
        raise _too_many_bytes(name, len(data))
    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture, name)
            return _decoded(picture, enough)
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise UnreadableImage(
            "too_large", f"{name} has more than {LIMITS.pixels // 10**6} million pixels; make it smaller."
        ) from None
    except UnidentifiedImageError:
        if data.startswith(TIFF_STARTS):
            raise UnreadableImage("unknown_tiff", f"{name} is a damaged or unsupported TIFF. {ADVICE}") from None
        raise UnreadableImage(
            "not_an_image", f"{name} is not a picture in a supported format (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF)."
        ) from None
    except DECODER_ERRORS as error:
        raise _undecodable(name, error) from None


def _too_many_bytes(name: str, size: int) -> UnreadableImage:
    return UnreadableImage(
        "file_too_large",
        f"{shown(name)} is {size / 1e6:.0f} MB; the limit is {LIMITS.file_bytes / 1e6:.0f} MB. Make it smaller.",
    )


def _check_size(picture: Pillow.Image, name: str) -> None:
    width, height = picture.size
    size = f"{name} is {width} x {height} pixels"
    if width * height > LIMITS.pixels or max(width, height) > LIMITS.longest_side:
        raise UnreadableImage("too_large", f"{size}, which is above the limit; make it smaller.")
    if min(width, height) < LIMITS.shortest_side:
        raise UnreadableImage("too_small", f"{size}; each side must be at least {LIMITS.shortest_side}.")
    if max(width, height) > LIMITS.aspect * min(width, height):
        raise UnreadableImage("bad_aspect", f"{size}, which is too narrow to search; cut it into parts.")


def _undecodable(name: str, error: Exception) -> UnreadableImage:
    message = str(error).lower()
    if isinstance(error, MemoryError) or "out of memory" in message:
        return UnreadableImage("too_large", f"{name} needs more memory to decode than is available; make it smaller.")
    if isinstance(error, EOFError) or "truncated" in message:
        return UnreadableImage("truncated", f"{name} is cut off; get the complete file.")
    return UnreadableImage("damaged", f"{name} is damaged and cannot be decoded. {ADVICE}")


def _decoded(picture: Pillow.Image, enough: int | None) -> LoadedImage:
    width, height = picture.size
    if enough:
        reduction = next((n for n in (8, 4, 2) if max(width, height) >= n * enough), 1)
        picture.draft(None, (width // reduction, height // reduction))  # only affects JPEG
    picture.load()
    if orientation_of(picture) in SIDEWAYS:
        width, height = height, width
    return LoadedImage(to_rgb(picture), width, height)
