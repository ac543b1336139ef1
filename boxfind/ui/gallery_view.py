"""A gallery picture as the dialogs show it: a JPEG that is made once, with more pixels after it has been enlarged."""

from functools import cache

import streamlit as st

from boxfind.ui.picture_cache import BoundedCache
from boxfind.ui.session import gallery_picture
from boxfind.ui.widgets.picture_dialog import ENLARGED
from boxfind.ui.widgets.picture_view import ViewedPicture
from index.gallery import Gallery
from retrieval.images.decode import LoadedImage
from retrieval.images.resize import thumbnail
from retrieval.types import Image

SIDE, ENLARGED_SIDE = 1600, 4096
"""Maximum side of the JPEG in pixels, and that of an enlarged picture."""
MOST_BYTES = 200_000_000
"""Bytes of the JPEGs that are kept for all visitors together, at most. An enlarged one can have 8 MB."""
SECONDS = 120.0
"""A JPEG is forgotten this long after its last use."""


def gallery_view(gallery: Gallery, image: str, alt: str) -> tuple[LoadedImage, ViewedPicture]:
    """A gallery picture, and how a dialog shows it."""
    picture = gallery_picture(gallery, image)
    longest = max(picture.image.shape)
    side = ENLARGED_SIDE if st.session_state.get(ENLARGED) == image else SIDE
    jpeg = _jpeg(gallery.entry(image).sha256, longest, side, picture.image)
    return picture, ViewedPicture(image, jpeg, picture.size, alt, sharper=longest > side)


@cache
def closer_views() -> BoundedCache[bytes]:
    """The JPEGs of this process."""
    return BoundedCache(MOST_BYTES, SECONDS, len)


def _jpeg(sha256: str, longest: int, side: int, image: Image) -> bytes:
    """A JPEG of at most `side` pixels. `longest` tells the thumbnail of a lost picture from the picture."""
    return closer_views().get((sha256, longest, side), lambda: thumbnail(image, side, quality=88))
