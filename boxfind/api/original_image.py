"""Load the original of a gallery image and check that it is unchanged since it was indexed."""

import hashlib

from boxfind.engine import Engine
from index.gallery import Gallery
from retrieval.errors import PictureGone, UnreadableImage
from retrieval.images.decode import read_file
from retrieval.printable_names import shown
from retrieval.types import Image


def stored_picture(engine: Engine, gallery: Gallery, image: str) -> Image:
    """Decode the original of a gallery image.

    Raises UnknownPicture. Raises PictureGone when the file is missing or has changed, since the indexed boxes no
    longer apply to it.
    """
    entry = gallery.entry(image)
    try:
        data = read_file(gallery.file(image))
    except UnreadableImage:  # its message contains the folder
        raise PictureGone(f"{shown(image)} cannot be opened any more; restore the file or update the index.") from None
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise PictureGone(f"{shown(image)} has changed since it was indexed; update the index.")
    return engine.read_picture(data, image)
