"""Select pictures of a group, or ungrouped ones, and correct where they belong; for administrators."""

from collections.abc import Callable, Iterable, Mapping

import streamlit as st

from boxfind.searches.saved_searches import LONGEST_NAME
from boxfind.ui.authorization import is_admin
from boxfind.ui.catalogue.choose_group import request_choice
from boxfind.ui.catalogue.corrections import CHOSEN_PICTURES, make_group, remove
from boxfind.ui.catalogue.named_group import NamedGroup
from boxfind.ui.widgets.tile_grid import Action
from index.groups.corrections import Place

SELECT = Action("select", "Select", "check_circle", "a", toggle=True)
MOVE = Action("move", "Move to another group", "drive_file_move", "m")
NOT_THIS = Action("not this", "Not this: take it out of the group", "do_not_disturb_on", "x")
NEW_NAME = "name of new group"


def selected(images: Iterable[str]) -> list[str]:
    """The selected ones of these pictures."""
    chosen = st.session_state.get(CHOSEN_PICTURES, frozenset())
    return [image for image in images if image in chosen]


def tile_actions(source: NamedGroup | None, places: Mapping[str, Place]) -> dict[Action, Callable[[str], None]]:
    """The corrections of one picture, for the picture grid. `source` is None for ungrouped pictures.

    `places`: image id -> the object that a correction is about.
    """
    if not is_admin():
        return {}
    actions: dict[Action, Callable[[str], None]] = {
        SELECT: _toggle,
        MOVE: lambda image: request_choice([image]),
    }
    if source:
        actions[NOT_THIS] = lambda image: remove(source, [places[image]])
    return actions


def selection_bar(source: NamedGroup | None, places: Mapping[str, Place]) -> None:
    """The corrections of the selected pictures, or of the whole group if none is selected."""
    if not is_admin():
        return
    images = selected(places)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if not images:
            if source:
                st.button("Merge with…", icon=":material/merge:", on_click=request_choice, args=[[]])
            st.caption("Select pictures to move them or to make a new group of them.", width="content")
            return
        chosen = [places[image] for image in images]
        st.markdown(f"**{len(images)} selected**", width="content")
        st.button("Move to group…", icon=":material/drive_file_move:", on_click=request_choice, args=[images])
        _new_group(source, chosen)
        if source:
            st.button("Not this", icon=":material/do_not_disturb_on:", on_click=remove, args=[source, chosen])
        st.button("Clear", type="tertiary", on_click=st.session_state.update, args=[{CHOSEN_PICTURES: frozenset()}])


def _new_group(source: NamedGroup | None, chosen: list[Place]) -> None:
    help = "Select at least two pictures." if len(chosen) < 2 else None
    menu = st.popover("Make a new group", icon=":material/library_add:", disabled=help is not None, help=help)
    with menu, st.form("new group", border=False):
        st.text_input("Name (optional)", max_chars=LONGEST_NAME, key=NEW_NAME)
        st.form_submit_button("Make the group", type="primary", on_click=_make, args=[source, chosen])


def _make(source: NamedGroup | None, chosen: list[Place]) -> None:
    make_group(source, chosen, st.session_state[NEW_NAME])


def _toggle(image: str) -> None:
    st.session_state[CHOSEN_PICTURES] = st.session_state.get(CHOSEN_PICTURES, frozenset()) ^ {image}
