"""Read the file of a gallery image, or a page or frame of it, if it is still the file that was indexed."""

import hashlib
from functools import cache
from pathlib import Path

from index.building.decoder_pool import DecoderPool
from index.gallery import Gallery
from index.storage.sources import Reading
from index.storage.tables import ImageEntry
from retrieval.errors import PictureGone, UnreadableImage
from retrieval.images.decode import read_file
from retrieval.images.limits import LIMITS, SourceLimits
from retrieval.networks.weights import file_sha256
from retrieval.printable_names import shown

AS_BUILT = Reading(SourceLimits(picture_mb=500, document_mb=1_000_000, pages=1_000_000), incomplete=True)
"""The build has accepted these files, by the limits of its time."""


def read_original(gallery: Gallery, image: str) -> bytes:
    """The bytes of a picture file: the file of a gallery image, or for a page or frame a PNG of it in full size.

    The only place that reads an original for a search, a page or an export. Raises UnknownPicture, and PictureGone when
    the file is missing, is a link out of the gallery folder or has changed since it was indexed: regions and
    descriptors no longer apply to it. The messages name no folder.
    """
    entry = gallery.entry(image)
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

    A file of the indexed size and time is not read to compare its contents: films are large. Raises UnknownPicture and
    PictureGone, as `read_original`.
    """
    entry = gallery.entry(image)
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
    if not file.is_relative_to(Path(gallery.manifest.gallery).resolve()):
        raise PictureGone(f"{shown(entry.image)} is now a link out of the gallery folder; update the index.")
    return file


def _has_changed(image: str) -> PictureGone:
    return PictureGone(f"{shown(image)} has changed since it was indexed; update the index.")


def _cannot_be_opened(image: str) -> PictureGone:
    return PictureGone(f"{shown(image)} cannot be opened any more; restore the file or update the index.")
