"""A gallery picture as large as it is, or the small one that the index keeps where its file cannot be read now."""

from boxfind.ui.session import Picture, decoded
from boxfind.ui.widgets.thumbnail import thumbnail_of
from index.gallery import Gallery
from retrieval.errors import UnreadableImage
from retrieval.images.decode import decode_image, read_file
from retrieval.types import Image

ONLY_SMALL = "The file cannot be opened now; this is the small picture that the index keeps."


def original(gallery: Gallery, image: str) -> tuple[Image, bool]:
    """The pixels, and whether they are the file's and not only the thumbnail's."""
    try:
        picture = Picture(image, read_file(gallery.file(image)))
        return decoded(picture.key, picture), True
    except UnreadableImage:
        return decode_image(thumbnail_of(gallery, image)), False
