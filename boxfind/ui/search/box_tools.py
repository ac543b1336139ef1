"""Box tools: buttons, the list of several boxes and their roles, and coordinate entry."""

from dataclasses import replace
from functools import partial

import streamlit as st

from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.search.search_options import padding_choice
from boxfind.ui.search.search_state import image_of, name_of, search_state
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.synced_widgets import synced
from index.gallery import Gallery
from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.errors import BoxfindError
from retrieval.images.decode import LoadedImage
from retrieval.images.resize import thumbnail
from retrieval.printable_names import shown
from retrieval.regions.grabcut import fit_box
from retrieval.request import Example, Role
from retrieval.types import Box

ROLES: dict[Role, str] = {
    "object": "this object",
    "view": "another view of it",
    "also": "and this object",
    "not": "but not this object",
}
ANOTHER_PICTURE = (
    "The next picture you choose is added to this search. In it, draw a box around another view of the object, or "
    "around another object."
)


def box_buttons(picture: LoadedImage, gallery: Gallery) -> None:
    """Show the buttons Whole picture, Fit and Clear, and the toggle for several boxes."""
    state = search_state()
    empty = not state.boxes
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Whole picture", icon=":material/fullscreen:", on_click=_add, args=[picture.whole], shortcut="W")
        st.button(
            "Fit",
            icon=":material/fit_screen:",
            on_click=_fit,
            args=[gallery],
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


def box_list(gallery: Gallery) -> None:
    """Show the boxes and their roles; hidden while the search has a single box."""
    state = search_state()
    examples = state.request.examples
    if not state.several and len(examples) < 2:
        return
    for number, example in enumerate(examples):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _row(number, example, gallery)
    if examples:
        edits = synced("joining", state.joining, partial(setattr, state, "joining"))
        st.toggle("Add another picture", value=state.joining, **edits)
        if state.joining:
            st.caption(ANOTHER_PICTURE)


def box_coordinates(picture: LoadedImage) -> None:
    """Show the coordinates of the last box for editing, and the padding of all boxes."""
    box = _last_box(picture.whole)
    width, height = picture.size
    limits = {
        "Left": (0, width - SMALLEST_BOX),
        "Top": (0, height - SMALLEST_BOX),
        "Width": (SMALLEST_BOX, width),
        "Height": (SMALLEST_BOX, height),
    }
    with st.expander("Enter coordinates and padding"):
        for index, (column, (name, (least, most))) in enumerate(zip(st.columns(4), limits.items(), strict=True)):
            edits = synced(name, box.xywh[index], partial(_set_coordinate, picture.whole, index))
            column.number_input(f"{name} (pixels)", least, most, box.xywh[index], step=1, **edits)
        padding_choice()


def _row(number: int, example: Example, gallery: Gallery) -> None:
    state, name = search_state(), name_of(example.picture, gallery)
    try:
        crop = thumbnail(image_of(example.picture, gallery).crop(example.box), side=96)
        st.image(crop, width=48, alt=f"Box {number + 1}, from {name}")
    except BoxfindError:
        st.text("?")
    st.selectbox(
        f"Box {number + 1}, from {plain(shown(name))}",
        list(ROLES),
        index=list(ROLES).index(example.role),
        format_func=ROLES.__getitem__,
        label_visibility="collapsed",
        **synced(
            f"role {number}",
            example,
            lambda changed: state.change(number, changed.role),
            parse=lambda role: replace(example, role=role),
        ),
    )
    icon = ":material/delete:"
    st.button(f"Remove box {number + 1}", icon=icon, type="tertiary", on_click=state.change, args=[number, None])


def _last_box(whole: Box) -> Box:
    boxes = search_state().boxes
    return boxes[-1] if boxes else whole


@errors_as_toasts()
def _fit(gallery: Gallery) -> None:
    state = search_state()
    if state.boxes:  # a quick visitor can press F before the page shows that there is no box any more
        picture = image_of(state.shown, gallery)
        _replace_last(fit_box(picture.image, state.boxes[-1], picture.size))


def _set_coordinate(whole: Box, index: int, value: int) -> None:
    xywh = list(_last_box(whole).xywh)  # not that of the last run: another coordinate may have changed since
    xywh[index] = value
    _replace_last(Box.from_xywh(*xywh).clipped(whole.width, whole.height))


def _add(box: Box) -> None:
    """Add the box if several are allowed, else replace the current one."""
    state = search_state()
    others = [other for other in state.boxes if other != box] if state.several else []
    state.draw([*others, box])


def _replace_last(box: Box) -> None:
    state = search_state()
    state.draw([*state.boxes[:-1], box])
