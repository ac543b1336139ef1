"""Export the unchanged files of pictures, with their metadata, in ZIP files of limited size, or JPEGs without it."""

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from boxfind.export.file_names import file_name
from boxfind.fair_turns import FairTurns
from index.gallery import Gallery
from index.operations.read_original import read_original
from retrieval.errors import PictureGone
from retrieval.images.decode import LoadedImage
from retrieval.images.limits import LIMITS
from retrieval.images.places import split_id
from retrieval.images.resize import thumbnail

MOST_BYTES = 500_000_000
"""Maximum size of all originals of an export."""
PART_BYTES = 100_000_000
"""Maximum size of the originals in one ZIP file, which is made in memory."""
FULL_SIZE = FairTurns(2, spare=1)
"""Turns to make a full-size JPEG; the pixels of one may take 300 MB."""


def total_bytes(gallery: Gallery, images: Sequence[str]) -> int:
    """The size of the originals together, as indexed."""
    return sum(_size(gallery, image) for image in images)


def _size(gallery: Gallery, image: str) -> int:
    """Bytes of a picture's file, or about those of the PNG of a page or frame."""
    entry = gallery.entry(image)
    return entry.width * entry.height if entry.place else entry.bytes


def parts(gallery: Gallery, images: Sequence[str], most: int = PART_BYTES) -> list[list[str]]:
    """Divide images, in their order, into parts of at most `most` bytes; a larger file is a part of its own."""
    divided: list[list[str]] = []
    room = 0
    for image in images:
        size = _size(gallery, image)
        if size > room or not divided:
            divided.append([])
            room = most
        divided[-1].append(image)
        room -= size
    return divided


def original_name(image: str) -> str:
    """The name of a picture's file without its folder, valid on every system. A page or frame is a PNG."""
    file, place = split_id(image)
    path = PurePosixPath(file)
    return file_name(f"{path.stem} {place.replace('=', ' ')}", ".png") if place else file_name(path.stem, path.suffix)


def full_size_jpeg(gallery: Gallery, image: str, read: Callable[..., LoadedImage], client: str) -> bytes:
    """The picture in full size without metadata such as camera, place and time. `read`: `VisitorPictures.read`.

    Clients take turns.
    """
    with FULL_SIZE.hold(client):
        picture = read(partial(read_original, gallery, image), image, client, pixels=LIMITS.pixels)
        return thumbnail(picture.image, LIMITS.longest_side, quality=95)


def originals_zip(gallery: Gallery, images: Sequence[str]) -> bytes:
    """Return a ZIP of the original files in their folders, and notes.txt if any could not be used.

    Of a document or film it holds the pages and frames as PNG, not the file.

    An original is only used if it is unchanged since it was indexed. Raises UnknownPicture.
    """
    out, notes = io.BytesIO(), []
    with ZipFile(out, "w") as archive:
        for image, name in zip(images, _names(images), strict=True):
            try:
                data = read_original(gallery, image)
            except PictureGone as error:
                notes.append(f"{name}: left out. {error}\r\n")
            else:
                archive.writestr(ZipInfo(name, _modified(gallery.entry(image).mtime)), data, ZIP_STORED)
        if notes:
            archive.writestr("notes.txt", "".join(notes).encode("utf-8-sig"), ZIP_DEFLATED)
    return out.getvalue()


def _names(images: Sequence[str]) -> list[str]:
    """Paths for the ZIP, without parts that are invalid on some system; unique also if case is ignored."""
    names: dict[str, str] = {"notes.txt": ""}
    for image in images:
        *folders, _ = PurePosixPath(image).parts
        stem, dot, suffix = original_name(image).rpartition(".")
        start = "/".join([*(file_name(folder, "") for folder in folders), stem])
        numbered = (f"{start}{f'-{number}' if number > 1 else ''}{dot}{suffix}" for number in count(1))
        name = next(name for name in numbered if name.casefold() not in names)
        names[name.casefold()] = name
    return [name for name in names.values() if name]


def local_time(mtime: float) -> datetime | None:
    """The local time of a change to a file; None if it is outside the calendar of this program."""
    try:
        return datetime.fromtimestamp(mtime).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def _modified(mtime: float) -> tuple[int, int, int, int, int, int]:
    """The local time of a change, within what a ZIP can hold."""
    time = local_time(mtime)
    if time is None:
        return 1980, 1, 1, 0, 0, 0
    year = min(max(time.year, 1980), 2107)
    return year, time.month, time.day, time.hour, time.minute, time.second
