"""The picture on which the visitor draws boxes."""

import math
from collections.abc import Sequence

import streamlit as st

from boxfind.searches.link import MOST_BOXES
from boxfind.ui.search.search_state import SearchState, name_of, query_picture, search_state
from boxfind.ui.widgets.box_canvas import box_canvas
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.images.decode import LoadedImage
from retrieval.images.limits import LIMITS
from retrieval.images.resize import shrink_image, thumbnail
from retrieval.printable_names import shown
from retrieval.regions.proposals import suggest_boxes
from retrieval.types import Box, Image

SHOWN_PIXELS = 4_000_000
"""Pixels of the copy that is sent to the browser: sharp when enlarged, and about half a megabyte."""
DOTS = 6
APART = 0.12
"""Least distance of two dots, as a share of the longer side of the picture."""


def picture_title(picture: LoadedImage, state: SearchState, gallery: Gallery) -> None:
    """Show the name and size of the picture on one line, with a hint while there is no box."""
    with st.container(key="picture-title", horizontal=True, gap="small"):
        st.caption(f"{plain(shown(name_of(state.shown, gallery)))}, {picture.width} x {picture.height} pixels")
        if not state.boxes:
            st.caption("Drag a box around an object.", width="content")
    if note := query_picture(state.shown, gallery).note:
        st.caption(f"{plain(note)} Searching with the thumbnail from the index.")


def pick_boxes(picture: LoadedImage, state: SearchState) -> None:
    """Show the canvas. Edited boxes become the search of the session before the page reruns."""
    numbers = [number for number, example in enumerate(state.request.examples, 1) if example.picture == state.shown]
    box_canvas(
        state.shown,
        _jpeg(state.shown, picture.image.shape, picture.image),
        picture.size,
        state.boxes,
        _take,
        key="canvas",
        numbers=numbers,
        dots=_dots(state.shown, picture.image.shape, picture),
        several=state.several,
        most=state.room,
        label="The picture you search with",
    )
    if state.several and len(state.boxes) >= state.room:
        st.caption(f"A search can have at most {MOST_BOXES} boxes. Remove one to add another.")


def _take(picture: str, boxes: Sequence[Box]) -> None:
    if search_state().shown == picture:
        search_state().draw(boxes)


@st.cache_data(max_entries=8, show_spinner=False)
def _jpeg(key: str, shape: tuple[int, ...], _image: Image) -> bytes:
    return thumbnail(shrink_image(_image, SHOWN_PIXELS), side=LIMITS.longest_side, quality=85)


@st.cache_data(max_entries=64, show_spinner=False)
def _dots(key: str, shape: tuple[int, ...], _picture: LoadedImage) -> list[Box]:
    """Boxes of what stands out in the picture, with centres apart from each other; takes about 5 ms."""
    kept: list[Box] = []
    for box in suggest_boxes(_picture.image, DOTS, _picture.size):
        if all(_distance(box, other) >= APART * max(_picture.size) for other in kept):
            kept.append(box)
    return kept


def _distance(one: Box, other: Box) -> float:
    """Distance of the centres."""
    return math.hypot(one.x0 + one.x1 - other.x0 - other.x1, one.y0 + one.y1 - other.y0 - other.y1) / 2
