"""Read the file of a gallery image, if it is still the file that was indexed."""

import hashlib
from pathlib import Path

from index.gallery import Gallery
from retrieval.errors import PictureGone, UnreadableImage
from retrieval.images.decode import read_file
from retrieval.printable_names import shown


def read_original(gallery: Gallery, image: str) -> bytes:
    """Read the file of a gallery image. The only place that reads an original for a search, a page or an export.

    Raises UnknownPicture, and PictureGone when the file is missing, is a link out of the gallery folder or has changed
    since it was indexed: regions and descriptors no longer apply to it. The messages name no folder.
    """
    entry = gallery.entry(image)
    try:
        file = gallery.file(image).resolve(strict=True)
        if not file.is_relative_to(Path(gallery.manifest.gallery).resolve()):
            raise PictureGone(f"{shown(image)} is now a link out of the gallery folder; update the index.")
        data = read_file(file)
    except (UnreadableImage, OSError, RuntimeError):  # a link loop raises either of the last two
        raise PictureGone(f"{shown(image)} cannot be opened any more; restore the file or update the index.") from None
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise PictureGone(f"{shown(image)} has changed since it was indexed; update the index.")
    return data
