"""Decode files into upright RGB images, or raise UnreadableImage with the reason."""

import io
import stat
import warnings
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from retrieval.errors import UnreadableImage
from retrieval.images.date_taken import date_taken
from retrieval.images.deep_colours import has_separate_samples, raw_mode, use_all_bits
from retrieval.images.file_kinds import (
    JPEG_2000,
    PICTURE_FORMATS,
    RAW,
    READ,
    START,
    UNREAD,
    content_format,
    is_unread,
    picture_format,
    unread_sentence,
)
from retrieval.images.heif import HEIF_FORMATS, prepare_heif
from retrieval.images.jpeg_decoder import decode_jpeg, incomplete_picture
from retrieval.images.jpeg_xl import JPEG_XL_FORMATS, jpeg_xl_size, prepare_jpeg_xl
from retrieval.images.limits import FORMATS, LIMITS, MEGABYTE, TIFF_STARTS
from retrieval.images.missing_pixels import ends_in_zeros, load_all
from retrieval.images.raw import decode_raw
from retrieval.images.resize import crop_image
from retrieval.images.structure import check_structure
from retrieval.images.to_rgb import DECODER_ERRORS, SIDEWAYS, orientation_of, to_rgb, turned
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


def read_file(path: Path, most: int | None = None) -> bytes:
    """Read a regular file of at most `most` bytes, by default the limit of pictures. Raises UnreadableImage."""
    try:
        check_file(path, most or LIMITS.file_bytes)
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableImage("missing", f"There is no file {shown(str(path))}.") from None
    except PermissionError:
        raise UnreadableImage("permission", f"{shown(path.name)} may not be read; change its permissions.") from None
    except (OSError, ValueError) as error:  # ValueError: invalid file name
        reason = getattr(error, "strerror", error)
        raise UnreadableImage("unreadable", f"{shown(path.name)} cannot be read: {reason}.") from None


def check_file(path: Path, most: int | None) -> None:
    """Raises UnreadableImage unless this is a regular file of at most `most` bytes, and OSError, ValueError."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableImage("special", f"{shown(path.name)} is not a file.")
    if most is not None and found.st_size > most:
        raise _too_many_bytes(path.name, found.st_size, most)


def decode_image(data: bytes, name: str = "The picture") -> Image:
    """Decode a file's bytes. `name` is only used in messages. Raises UnreadableImage."""
    return decode_picture(data, name).image


def decode_picture(
    data: bytes,
    name: str = "The picture",
    enough: int | None = None,
    incomplete: bool = False,
    frame: int = 0,
    most: int | None = None,
    preview: bool = False,
) -> LoadedImage:
    """Decode a file's bytes, with its original size. Raises UnreadableImage.

    `name` is used in messages, and its suffix tells a camera's raw file from a TIFF. `frame` is the number of a page or
    frame, from 0. `most`: bytes of the largest file, by default the limit of its format. `preview`: it is the JPEG of a
    raw file that is called `name`.

    If a longest side of `enough` pixels suffices, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size but no smaller than
    that, which saves time and memory. Size limits apply to the original. A file of which a part of the picture is
    missing is refused as `incomplete`, unless `incomplete` is true.
    """
    name = shown(name)
    if not data:
        raise UnreadableImage("empty", f"{name} is empty (0 bytes).")
    found = content_format(data[:START]) if preview else picture_format(name, data[:START])
    most = max(most or LIMITS.file_bytes, LIMITS.raw_bytes if found == RAW else 0)
    if len(data) > most:
        raise _too_many_bytes(name, len(data), most)
    if is_unread(found) and found in READ:
        raise UnreadableImage(UNREAD, unread_sentence(name, found))
    if found == RAW:
        return _decode_raw(data, name, enough)
    layout = check_structure(data, name, frame)
    try:
        if found in JPEG_XL_FORMATS:
            check_size(*jpeg_xl_size(data), name)  # before the package decodes it
        with Pillow.open(io.BytesIO(data), formats=_pillow_formats(found)) as picture:
            picture.seek(frame)
            check_size(*picture.size, name)
            if has_separate_samples(picture):
                raise _unknown_tiff(name)
            width, height = picture.size
            pixels = None
            if layout is not None:
                size = _reduced(width, height, enough)
                pixels = decode_jpeg(data, layout, name, picture.mode, size, incomplete)
            if pixels is None:
                _load(picture, data, name, incomplete, frame)
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
        raise _unidentified(name, found, content_format(data[:START])) from None
    except DECODER_ERRORS as error:
        raise undecodable(name, error) from None


def _pillow_formats(found: str) -> tuple[str, ...]:
    """The formats that Pillow tries; prepares the package of a format."""
    if found in HEIF_FORMATS:
        return prepare_heif()
    if found in JPEG_XL_FORMATS:
        return prepare_jpeg_xl()
    return ("JPEG2000",) if found == JPEG_2000 else FORMATS


def _decode_raw(data: bytes, name: str, enough: int | None) -> LoadedImage:
    """The preview of a raw file, or a quick development of half its size. Raises UnreadableImage."""
    try:
        raw = decode_raw(data, lambda width, height: check_size(width, height, name))
        if raw.preview is not None:
            preview = decode_picture(raw.preview, name, enough, preview=True)
            size = preview.size if raw.orientation not in SIDEWAYS else preview.size[::-1]
            return LoadedImage(turned(preview.image, raw.orientation), *size, raw.taken or preview.taken)
        assert raw.pixels is not None
        raw.pixels.setflags(write=False)
        return replace(LoadedImage.of(raw.pixels), taken=raw.taken)
    except DECODER_ERRORS as error:
        raise undecodable(name, error) from None


def _unidentified(name: str, found: str, by_content: str) -> UnreadableImage:
    """Why Pillow does not know a file. Its first bytes show the format `by_content`; `found` may be by its suffix."""
    if by_content in (*HEIF_FORMATS, *JPEG_XL_FORMATS, JPEG_2000):
        return UnreadableImage("damaged", f"{name} is damaged and cannot be decoded. {ADVICE}")
    if is_unread(found):
        return UnreadableImage(UNREAD, unread_sentence(name, found))
    if found in READ and found not in PICTURE_FORMATS:
        return UnreadableImage("several", f"{name} holds several pictures; choose one of them.")
    return UnreadableImage(
        "not_an_image", f"{name} is not a picture in a supported format (JPEG, PNG, HEIC, WebP, TIFF, raw and others)."
    )


def _too_many_bytes(name: str, size: int, most: int) -> UnreadableImage:
    return UnreadableImage(
        "file_too_large",
        f"{shown(name)} is {size / MEGABYTE:.0f} MB; the limit is {most / MEGABYTE:.0f} MB. Make it smaller.",
    )


def _unknown_tiff(name: str) -> UnreadableImage:
    return UnreadableImage("unknown_tiff", f"{name} is a damaged or unsupported TIFF. {ADVICE}")


def check_size(width: int, height: int, name: str) -> None:
    """Raises UnreadableImage if a picture of this size is not accepted."""
    size = f"{name} is {width} x {height} pixels"
    if width * height > LIMITS.pixels or max(width, height) > LIMITS.longest_side:
        raise UnreadableImage("too_large", f"{size}, which is above the limit; make it smaller.")
    if min(width, height) < LIMITS.shortest_side:
        raise UnreadableImage("too_small", f"{size}; each side must be at least {LIMITS.shortest_side}.")
    if max(width, height) > LIMITS.aspect * min(width, height):
        raise UnreadableImage("bad_aspect", f"{size}, which is too narrow to search; cut it into parts.")


def undecodable(name: str, error: Exception) -> UnreadableImage:
    """Why a decoder failed, by its exception."""
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


def _load(picture: Pillow.Image, data: bytes, name: str, incomplete: bool, frame: int) -> None:
    raw = raw_mode(picture)
    if frame and picture.format != "TIFF":  # composed from the frames before it, which may cover all of it
        picture.load()
        return
    whole = load_all(picture) and not ends_in_zeros(data, picture)
    if not whole and not incomplete:
        raise incomplete_picture(name)
    use_all_bits(picture, raw, data)
