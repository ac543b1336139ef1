"""Square pictures of group members."""

import streamlit as st

from boxfind.ui.session import BY_GENERATION
from boxfind.ui.widgets.thumbnail import thumbnail_of
from index.gallery import Gallery
from index.groups.groups import Member
from retrieval.images.decode import decode_image
from retrieval.images.resize import crop_image, resize_image, thumbnail
from retrieval.types import Box

CROP_SIDE = 280


@st.cache_data(max_entries=2000, show_spinner=False, hash_funcs=BY_GENERATION)
def crop_of(gallery: Gallery, member: Member) -> bytes:
    """A square JPEG of the centre of the region, cut from the thumbnail."""
    picture = decode_image(thumbnail_of(gallery, member.image))
    box = member.region.box
    side = min(box.width, box.height)
    x, y = (box.x0 + box.x1 - side) // 2, (box.y0 + box.y1 - side) // 2
    entry = gallery.entry(member.image)
    square = crop_image(picture, Box.from_xywh(x, y, side, side), (entry.width, entry.height))
    return thumbnail(resize_image(square, CROP_SIDE, CROP_SIDE), CROP_SIDE, quality=88)
