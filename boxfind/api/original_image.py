"""A picture of the gallery as large as it is, and just as it was indexed."""

import hashlib

from boxfind.engine import Engine
from index.gallery import Gallery
from retrieval.errors import PictureGone, UnreadableImage
from retrieval.images.decode import read_file
from retrieval.printable_names import shown
from retrieval.types import Image


def stored_picture(engine: Engine, gallery: Gallery, image: str) -> Image:
    """Raises UnknownPicture, and PictureGone when the file went away since, or is another: boxes are of what it was."""
    entry = gallery.entry(image)
    try:
        data = read_file(gallery.file(image))
    except UnreadableImage:  # its sentence names the folder
        raise PictureGone(f"{shown(image)} cannot be opened now; it was there when the gallery was indexed.") from None
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise PictureGone(f"{shown(image)} has changed since the gallery was indexed; the next build takes it.")
    return engine.read_picture(data, image)
