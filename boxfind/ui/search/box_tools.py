"""Box tools: suggested boxes, GrabCut fit, whole picture and coordinate entry."""

from functools import partial

import streamlit as st

from boxfind.ui.search.search_state import search_state
from boxfind.ui.widgets.synced_widgets import synced
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.images.resize import crop_image, thumbnail
from retrieval.regions.grabcut import fit_box
from retrieval.regions.proposals import suggest_boxes
from retrieval.types import Box, Image

SUGGESTED = 4


def box_buttons(image: Image) -> None:
    """Show the buttons Whole picture, Fit and Clear, and the toggle for several boxes."""
    state = search_state()
    empty = not state.boxes
    with st.container(horizontal=True, gap="small"):
        st.button("Whole picture", icon=":material/fullscreen:", on_click=_add, args=[Box.whole(image)], shortcut="W")
        st.button(
            "Fit",
            icon=":material/fit_screen:",
            on_click=lambda: _replace_last(fit_box(image, state.boxes[-1])),
            disabled=empty,
            shortcut="F",
            help="Fits the last box to the object in it.",
        )
        st.button("Clear", icon=":material/close:", on_click=state.draw, args=[[]], disabled=empty, shortcut="X")
        st.toggle(
            "Several boxes",
            value=state.several,
            help="Each box you draw is added to the search: another object that must be present, another view of the "
            "same object, or an object that must be absent.",
            **synced("several", state.several, state.set_several),
        )


def suggestions(image: Image) -> None:
    """Offer suggested boxes of salient objects."""
    shown = search_state().shown
    boxes = _suggested(shown, image)
    if not boxes:
        return
    st.caption("Or choose one of these:")
    tiles = [
        Tile(
            name=str(number),
            picture=_crop(shown, box, image),
            size=(box.width, box.height),
            alt=f"Suggestion {number}, at {box.x0}, {box.y0}, {box.width} x {box.height} pixels",
            title=f"Suggestion {number}",
        )
        for number, box in enumerate(boxes, start=1)
    ]
    actions = [Action("search", "Search for this", "search")]
    tile_grid(tiles, actions, lambda _, number: _add(boxes[int(number) - 1]), f"suggestions {shown}", min_width=96)


def box_coordinates(image: Image) -> None:
    """Show the coordinates of the last box for editing."""
    boxes = search_state().boxes
    box = boxes[-1] if boxes else Box.whole(image)
    height, width = image.shape[:2]
    limits = {
        "Left": (0, width - SMALLEST_BOX),
        "Top": (0, height - SMALLEST_BOX),
        "Width": (SMALLEST_BOX, width),
        "Height": (SMALLEST_BOX, height),
    }
    with st.expander("Enter coordinates"):
        for index, (column, (name, (least, most))) in enumerate(zip(st.columns(4), limits.items(), strict=True)):
            edits = synced(name, box.xywh[index], partial(_set_coordinate, image, box, index))
            column.number_input(f"{name} (pixels)", least, most, box.xywh[index], step=1, **edits)


def _set_coordinate(image: Image, box: Box, index: int, value: int) -> None:
    xywh = list(box.xywh)
    xywh[index] = value
    _replace_last(Box.from_xywh(*xywh).clipped(image.shape[1], image.shape[0]))


def _add(box: Box) -> None:
    """Add the box if several are allowed, else replace the current one."""
    state = search_state()
    others = [other for other in state.boxes if other != box] if state.several else []
    state.draw([*others, box])


def _replace_last(box: Box) -> None:
    state = search_state()
    state.draw([*state.boxes[:-1], box])


@st.cache_data(max_entries=64, show_spinner=False)
def _suggested(key: str, _image: Image) -> list[Box]:
    return suggest_boxes(_image, SUGGESTED)


@st.cache_data(max_entries=512, show_spinner=False)
def _crop(key: str, box: Box, _image: Image) -> bytes:
    return thumbnail(crop_image(_image, box), side=160)
