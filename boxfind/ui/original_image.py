"""Load a gallery picture in full size, with the indexed thumbnail as fallback."""

from boxfind.ui.session import Picture, decoded
from boxfind.ui.widgets.thumbnail import thumbnail_of
from index.gallery import Gallery
from retrieval.errors import UnreadableImage
from retrieval.images.decode import decode_image, read_file
from retrieval.types import Image

ONLY_SMALL = "The file cannot be opened; showing the thumbnail from the index."


def original(gallery: Gallery, image: str) -> tuple[Image, bool]:
    """The pixels (H, W, 3), and whether they come from the file rather than the thumbnail."""
    try:
        picture = Picture(image, read_file(gallery.file(image)))
        return decoded(picture.key, picture), True
    except UnreadableImage:
        return decode_image(thumbnail_of(gallery, image)), False
