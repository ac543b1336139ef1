"""Read the file of a gallery image, or a page or frame of it, if it is still the file that was indexed."""

import hashlib
import os
from functools import cache
from pathlib import Path

from index.building.decoder_pool import DecoderPool
from index.gallery import Gallery
from index.operations.away_check import is_away
from index.storage.sources import Reading
from index.storage.tables import ImageEntry
from retrieval.errors import GalleryAway, PictureGone, UnreadableImage
from retrieval.images.decode import read_file
from retrieval.images.limits import LIMITS, SourceLimits
from retrieval.networks.weights import file_sha256
from retrieval.printable_names import shown

AS_BUILT = Reading(SourceLimits(picture_mb=500, document_mb=1_000_000, pages=1_000_000), incomplete=True)
"""The build has accepted these files, by the limits of its time."""


def read_original(gallery: Gallery, image: str) -> bytes:
    """The bytes of a picture file: the file of a gallery image, or for a page or frame a PNG of it in full size.

    The only place that reads an original for a search, a page or an export. Raises UnknownPicture, GalleryAway when the
    drive of the gallery is not connected, and PictureGone when the file is missing, is a link out of the gallery folder
    or has changed since it was indexed: regions and descriptors no longer apply to it. The messages name no folder.
    """
    entry = gallery.entry(image)
    _check_connected(gallery, entry)
    if entry.place:
        return _read_place(source_file(gallery, image), entry)
    try:
        data = read_file(_file_in_gallery(gallery, entry), max(entry.bytes, LIMITS.file_bytes))
    except (UnreadableImage, OSError, RuntimeError):  # a link loop raises either of the last two
        raise _cannot_be_opened(image) from None
    if hashlib.sha256(data).hexdigest() != (entry.file_sha256 or entry.sha256):
        raise _has_changed(image)
    return data


def source_file(gallery: Gallery, image: str) -> Path:
    """The path of the file that holds a gallery image, for a reader that does not need all of it.

    A file of the indexed size and time is not read to compare its contents: films are large. Raises UnknownPicture,
    GalleryAway and PictureGone, as `read_original`.
    """
    entry = gallery.entry(image)
    _check_connected(gallery, entry)
    try:
        file = _file_in_gallery(gallery, entry)
        status = file.stat()
        same = (status.st_size, status.st_mtime) == (entry.bytes, entry.mtime)
        if not same and file_sha256(file) != (entry.file_sha256 or entry.sha256):
            raise _has_changed(image)
    except (OSError, RuntimeError):
        raise _cannot_be_opened(image) from None
    return file


def _read_place(file: Path, entry: ImageEntry) -> bytes:
    name = file.name
    try:
        return _pool().encode_picture(file, name, entry.place, AS_BUILT)
    except UnreadableImage as problem:
        raise PictureGone(f"{shown(entry.image)} cannot be opened any more: {problem}") from None


@cache
def _pool() -> DecoderPool:
    """The worker that opens pages and frames; it starts with the first one and ends with this process."""
    return DecoderPool(1, keep_memory=False)


def _file_in_gallery(gallery: Gallery, entry: ImageEntry) -> Path:
    """Raises PictureGone, OSError, RuntimeError."""
    file = gallery.file(entry.image).resolve(strict=True)
    own, others = _folder_of(gallery, entry), (gallery.manifest.gallery, *gallery.manifest.more_folders)
    folders = (own, *others)  # first the one that is there: the drive of another one may not answer
    if not any(file.is_relative_to(Path(folder).resolve()) for folder in folders):
        raise PictureGone(f"{shown(entry.image)} is now a link out of the gallery folder; update the index.")
    return file


def _folder_of(gallery: Gallery, entry: ImageEntry) -> str:
    """The folder that holds a picture, if the gallery has several."""
    path, manifest = Path(os.fsdecode(entry.path)), gallery.manifest
    return next((folder for folder in manifest.more_folders if path.is_relative_to(folder)), manifest.gallery)


def _check_connected(gallery: Gallery, entry: ImageEntry) -> None:
    """Raises GalleryAway if the folder of the gallery that holds the picture is not there."""
    if is_away(_folder_of(gallery, entry)):
        raise GalleryAway("The drive with this folder is not connected.")


def _has_changed(image: str) -> PictureGone:
    return PictureGone(f"{shown(image)} has changed since it was indexed; update the index.")


def _cannot_be_opened(image: str) -> PictureGone:
    return PictureGone(f"{shown(image)} cannot be opened any more; restore the file or update the index.")
