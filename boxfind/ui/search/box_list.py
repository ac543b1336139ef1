"""List of the boxes of a search with several boxes, and the role of each."""

from dataclasses import replace

import streamlit as st

from boxfind.ui.search.search_state import image_of, name_of, search_state
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.synced_widgets import key_for, was_set
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
ANOTHER = (
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
        _row(number, example, gallery)
    if examples:
        key = key_for("joining", state.joining)
        st.toggle("Add another picture", value=state.joining, key=key, on_change=_join, args=[key])
        if state.joining:
            st.caption(ANOTHER)


def _row(number: int, example: Example, gallery: Gallery) -> None:
    state = search_state()
    name = name_of(example.picture, gallery)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        try:
            crop = thumbnail(crop_image(image_of(example.picture, gallery), example.box), side=96)
            st.image(crop, width=48, alt=f"Box {number + 1}, from {name}")
        except UnreadableImage:
            st.text("?")
        key = key_for(f"role {number}", example)
        st.selectbox(
            f"Box {number + 1}, from {plain(shown(name))}",
            list(ROLES),
            index=list(ROLES).index(example.role),
            format_func=ROLES.__getitem__,
            key=key,
            on_change=_change,
            args=[number, key],
            label_visibility="collapsed",
        )
        st.button(
            f"Remove box {number + 1}",
            key=f"away {number}",
            icon=":material/delete:",
            type="tertiary",
            on_click=state.change,
            args=[number, None],
        )


def _change(number: int, key: str) -> None:
    state, role = search_state(), st.session_state[key]
    example = state.request.examples[number : number + 1]
    if example and was_set(f"role {number}", key, replace(example[0], role=role)):
        state.change(number, role)


def _join(key: str) -> None:
    joining = st.session_state[key]
    if was_set("joining", key, joining):
        search_state().joining = joining
