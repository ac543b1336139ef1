"""Dialog that chooses the group to move pictures to, or to merge a group with."""

from collections.abc import Mapping, Sequence

import streamlit as st

from boxfind.ui.catalogue.corrections import merge, move
from boxfind.ui.catalogue.crop import crop_of
from boxfind.ui.catalogue.named_group import NamedGroup, place_in_picture
from boxfind.ui.error_boundary import error_boundary
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.paging import page_of
from boxfind.ui.widgets.picture_dialog import dialog_opens
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from index.gallery import Gallery
from index.groups.corrections import Place, similar_first

WANTED, DONE = "group choice wanted", "group chosen"
"""Session keys: the pictures to move, none to merge the open group; and whether the dialog has done its work."""
PER_PAGE = 18
CHOOSE = (Action("choose", "Choose this group", "check"),)


def request_choice(images: Sequence[str]) -> None:
    """Make this page run open the dialog for these pictures, or for the whole open group if there are none."""
    st.session_state.update({WANTED: tuple(images), DONE: False})


def group_choice(
    gallery: Gallery, source: NamedGroup | None, places: Mapping[str, Place], groups: Sequence[NamedGroup]
) -> None:
    """Open the dialog if it was requested. `places`: image id -> object, of all pictures that can be moved."""
    wanted = st.session_state.pop(WANTED, None)
    if wanted is None or not all(image in places for image in wanted):
        return
    if wanted:
        title, like = f"Move {counted(len(wanted), 'picture')} to", (wanted[0], places[wanted[0]].box)
    elif source:
        title, like = f"Merge {plain(source.title)} with", place_in_picture(source.group.best)
    else:
        return
    others = [group for group in groups if group != source]
    order = similar_first(gallery, like, [place_in_picture(group.group.best) for group in others])
    dialog_opens()
    dialog = st.dialog(title, width="large")(error_boundary()(_dialog))
    dialog(gallery, source, [places[image] for image in wanted], [others[number] for number in order])


def _dialog(gallery: Gallery, source: NamedGroup | None, chosen: Sequence[Place], groups: Sequence[NamedGroup]) -> None:
    """`groups`: the most similar ones first. Without `chosen` pictures, merges the source."""
    if st.session_state.pop(DONE, False):
        st.rerun()
    name = st.text_input("Name", placeholder="Part of a name", label_visibility="collapsed", icon=":material/search:")
    found = [group for group in groups if name.strip().casefold() in group.title.casefold()]
    if not found:
        st.text("No other group has such a name." if groups else "There is no other group.")

    def pick(_: str, key: str) -> None:
        target = next(group for group in groups if group.key == key)
        if chosen:
            move(source, chosen, target)
        elif source:
            merge([target, source])
        st.session_state[DONE] = True

    page = page_of(found, PER_PAGE, "page of group choice")
    tile_grid(
        [_tile(gallery, group) for group in page], CHOOSE, pick, "choose group", 120, "Groups, most similar first"
    )


def _tile(gallery: Gallery, group: NamedGroup) -> Tile:
    title = f"{group.title}, {counted(len(group.group.members), 'picture')}"
    return Tile(group.key, crop_of(gallery, group.group.best), (1, 1), title, title)
