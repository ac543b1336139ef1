"""Decode files into upright RGB images, or raise UnreadableImage with the reason."""

import io
import stat
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from retrieval.errors import UnreadableImage
from retrieval.images.date_taken import date_taken
from retrieval.images.deep_colours import has_separate_samples, raw_mode, use_all_bits
from retrieval.images.file_kinds import START, UNREAD, content_format, is_unread, unread_sentence
from retrieval.images.jpeg_decoder import decode_jpeg, incomplete_picture
from retrieval.images.limits import FORMATS, LIMITS, TIFF_STARTS
from retrieval.images.missing_pixels import ends_in_zeros, load_all
from retrieval.images.resize import crop_image
from retrieval.images.structure import check_structure
from retrieval.images.to_rgb import DECODER_ERRORS, SIDEWAYS, orientation_of, to_rgb
from retrieval.printable_names import shown
from retrieval.types import Box, Image

ADVICE = "Open it in an image editor and save it as JPEG or PNG."


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """A decoded image and facts about its file."""

    image: Image
    width: int
    height: int
    """Size of the upright original in pixels; `image` may be smaller."""
    taken: datetime | None = None
    """The time on the camera's clock; None if the file does not say."""

    @classmethod
    def of(cls, image: Image) -> Self:
        """An image in its original size."""
        return cls(image, image.shape[1], image.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the original, the pixels that boxes are in."""
        return self.width, self.height

    @property
    def whole(self) -> Box:
        return Box(0, 0, self.width, self.height)

    def crop(self, box: Box) -> Image:
        """The pixels of a box, which must lie within the original."""
        return crop_image(self.image, box, self.size)


Pillow.MAX_IMAGE_PIXELS = LIMITS.pixels
# Users cannot act on Pillow's warnings about odd metadata.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def load_image(path: Path, incomplete: bool = False) -> Image:
    """Decode a file; with `incomplete`, also one of which a part is missing. Raises UnreadableImage."""
    return decode_picture(read_file(path), path.name, incomplete=incomplete).image


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


def decode_picture(
    data: bytes, name: str = "The picture", enough: int | None = None, incomplete: bool = False
) -> LoadedImage:
    """Decode a file's bytes, with its original size. `name` is only used in messages. Raises UnreadableImage.

    If a longest side of `enough` pixels suffices, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size but no smaller than
    that, which saves time and memory. Size limits apply to the original. A file of which a part of the picture is
    missing is refused as `incomplete`, unless `incomplete` is true.
    """
    name = shown(name)
    if not data:
        raise UnreadableImage("empty", f"{name} is empty (0 bytes).")
    if len(data) > LIMITS.file_bytes:
        raise _too_many_bytes(name, len(data))
    layout = check_structure(data, name)
    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture, name)
            if has_separate_samples(picture):
                raise _unknown_tiff(name)
            width, height = picture.size
            pixels = None
            if layout is not None:
                size = _reduced(width, height, enough)
                pixels = decode_jpeg(data, layout, name, picture.mode, size, incomplete)
            if pixels is None:
                _load(picture, data, name, incomplete)
            if orientation_of(picture) in SIDEWAYS:
                width, height = height, width
            return LoadedImage(to_rgb(picture, data, pixels), width, height, date_taken(picture))
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise UnreadableImage(
            "too_large", f"{name} has more than {LIMITS.pixels // 10**6} million pixels; make it smaller."
        ) from None
    except UnidentifiedImageError:
        if data.startswith(TIFF_STARTS):
            raise _unknown_tiff(name) from None
        found = content_format(data[:START])
        if is_unread(found):
            raise UnreadableImage(UNREAD, unread_sentence(name, found)) from None
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


def _unknown_tiff(name: str) -> UnreadableImage:
    return UnreadableImage("unknown_tiff", f"{name} is a damaged or unsupported TIFF. {ADVICE}")


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


def _reduced(width: int, height: int, enough: int | None) -> tuple[int, int]:
    """The size at which a JPEG is decoded."""
    reduction = next((n for n in (8, 4, 2) if enough and max(width, height) >= n * enough), 1)
    return -(-width // reduction), -(-height // reduction)


def _load(picture: Pillow.Image, data: bytes, name: str, incomplete: bool) -> None:
    raw = raw_mode(picture)
    whole = load_all(picture) and not ends_in_zeros(data, picture)
    if not whole and not incomplete:
        raise incomplete_picture(name)
    use_all_bits(picture, raw, data)
