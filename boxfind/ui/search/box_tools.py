"""Box tools: suggested boxes, GrabCut fit, whole picture and coordinate entry."""

import streamlit as st

from boxfind.ui.search.search_state import SearchState, search_state
from boxfind.ui.widgets.synced_widgets import key_for, was_set
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.images.resize import crop_image, thumbnail
from retrieval.regions.grabcut import fit_box
from retrieval.regions.proposals import suggest_boxes
from retrieval.types import Box, Image

SUGGESTED = 4
SIDES = ("Left", "Top", "Width", "Height")


def box_buttons(image: Image) -> None:
    """Show the buttons Whole picture, Fit and Clear, and the toggle for several boxes."""
    state = search_state()
    empty = not state.boxes
    with st.container(horizontal=True, gap="small"):
        st.button("Whole picture", icon=":material/fullscreen:", on_click=_add, args=[Box.whole(image)], shortcut="W")
        st.button(
            "Fit",
            icon=":material/fit_screen:",
            on_click=_fit,
            args=[image],
            disabled=empty,
            shortcut="F",
            help="Fits the last box to the object in it.",
        )
        st.button("Clear", icon=":material/close:", on_click=state.put, args=[[]], disabled=empty, shortcut="X")
        key = key_for("several", state.several)
        st.toggle(
            "Several boxes",
            value=state.several,
            key=key,
            on_change=_several,
            args=[key],
            help="Each box you draw is added to the search: another object that must be present, another view of the "
            "same object, or an object that must be absent.",
        )


def suggestions(image: Image) -> None:
    """Offer suggested boxes of salient objects."""
    state = search_state()
    boxes = _suggested(state.shown, image)
    if not boxes:
        return
    st.caption("Or choose one of these:")
    tiles = [
        Tile(
            name=str(number),
            picture=_crop(state.shown, box, image),
            size=(box.width, box.height),
            alt=f"Suggestion {number}, at {box.x0}, {box.y0}, {box.width} x {box.height} pixels",
            title=f"Suggestion {number}",
        )
        for number, box in enumerate(boxes, start=1)
    ]

    def take(action: str, name: str) -> None:
        _add(boxes[int(name) - 1])

    tile_grid(
        tiles, [Action("take", "Search for this", "search")], take, key=f"suggestions {state.shown}", min_width=96
    )


def box_numbers(image: Image) -> None:
    """Show the coordinates of the last box for editing."""
    state = search_state()
    height, width = image.shape[:2]
    with st.expander("Enter coordinates"):
        box = state.boxes[-1] if state.boxes else Box(0, 0, width, height)
        largest = dict(zip(SIDES, (width - SMALLEST_BOX, height - SMALLEST_BOX, width, height), strict=True))
        key = key_for("box", box.xywh)
        for column, name, value in zip(st.columns(4), SIDES, box.xywh, strict=True):
            column.number_input(
                f"{name} (pixels)",
                0 if name in ("Left", "Top") else SMALLEST_BOX,
                largest[name],
                value,
                step=1,
                key=f"{key} {name}",
                on_change=_take_numbers,
                args=[key, width, height],
            )


def _add(box: Box) -> None:
    """Add the box if several are allowed, else replace the current one."""
    state = search_state()
    others = [other for other in state.boxes if other != box] if state.several else []
    state.put([*others, box])


def _fit(image: Image) -> None:
    state = search_state()
    if state.boxes:
        _replace_last(state, fit_box(image, state.boxes[-1]))


def _several(key: str) -> None:
    state, several = search_state(), st.session_state[key]
    if not was_set("several", key, several):
        return
    if several:
        state.several = True
        state.put(state.boxes)
    else:
        state.keep_one()


def _take_numbers(key: str, width: int, height: int) -> None:
    x, y, w, h = (int(st.session_state[f"{key} {name}"]) for name in SIDES)
    if was_set("box", key, (x, y, w, h)):
        _replace_last(search_state(), Box.from_xywh(x, y, w, h).clipped(width, height))


def _replace_last(state: SearchState, box: Box) -> None:
    state.put([*state.boxes[:-1], box])


@st.cache_data(max_entries=64, show_spinner=False)
def _suggested(key: str, _image: Image) -> list[Box]:
    return suggest_boxes(_image, SUGGESTED)


@st.cache_data(max_entries=512, show_spinner=False)
def _crop(key: str, box: Box, _image: Image) -> bytes:
    return thumbnail(crop_image(_image, box), side=160)
