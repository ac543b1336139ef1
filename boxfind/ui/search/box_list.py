"""List of the boxes of a search with several boxes, and the role of each."""

from dataclasses import replace
from functools import partial

import streamlit as st

from boxfind.ui.search.search_state import image_of, name_of, search_state
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.synced_widgets import synced
from index.gallery import Gallery
from retrieval.errors import UnreadableImage
from retrieval.images.resize import crop_image, thumbnail
from retrieval.printable_names import shown
from retrieval.request import Example, Role

ROLES: dict[Role, str] = {
    "object": "this object",
    "view": "another view of it",
    "also": "and this object",
    "not": "but not this object",
}
ADDING = (
    "The next picture you choose is added to this search. In it, draw a box around another view of the object, or "
    "around another object."
)


def box_list(gallery: Gallery) -> None:
    """Show the list; hidden while the search has a single box."""
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
            st.caption(ADDING)


def _row(number: int, example: Example, gallery: Gallery) -> None:
    state, name = search_state(), name_of(example.picture, gallery)
    try:
        crop = thumbnail(crop_image(image_of(example.picture, gallery), example.box), side=96)
        st.image(crop, width=48, alt=f"Box {number + 1}, from {name}")
    except UnreadableImage:
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
    st.button(
        f"Remove box {number + 1}",
        icon=":material/delete:",
        type="tertiary",
        on_click=state.change,
        args=[number, None],
    )
