"""Menus of albums: anyone looks at them; administrators make, fill, rename and delete them."""

from collections.abc import Sequence

import streamlit as st

from boxfind.searches.saved_searches import LONGEST_NAME, normalised
from boxfind.ui.album_store import (
    add_to_album,
    album_names,
    album_store,
    contents,
    remove_from_album,
)
from boxfind.ui.authorization import is_admin, require_admin
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.gallery.selection import clear_selection
from boxfind.ui.search.picture_filters import edit_gallery_filter
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.errors import BoxfindError

ADD_TO, NEW_NAME, CHANGES = "album to add to", "new name of album", "changes of albums"
"""Session keys. The number of changes is in the keys of the menus, so that a change closes them."""


def add_menu(gallery: Gallery, images: Sequence[str]) -> None:
    """Add the selected images to an album, for administrators."""
    menu = st.popover(
        "Add to album",
        icon=":material/library_add:",
        disabled=not images,
        help=None if images else "Select pictures first.",
        key=f"add to album {_changes()}",
    )
    with menu, st.form("add to album", border=False):
        st.selectbox(
            "Album",
            album_names(),
            index=None,
            accept_new_options=True,
            placeholder="Choose one, or type a new name",
            key=f"{ADD_TO} {_changes()}",
        )
        st.form_submit_button("Add", type="primary", on_click=_add, args=[gallery, images])


def remove_button(gallery: Gallery, name: str, images: Sequence[str]) -> None:
    """Remove the selected images from the shown album, for administrators."""
    st.button(
        "Remove",
        icon=":material/bookmark_remove:",
        disabled=not images,
        help="Remove the selected pictures from this album. They stay in the gallery.",
        on_click=_remove,
        args=[gallery, name, images],
    )


def album_menu(name: str) -> None:
    """Rename or delete the shown album, for administrators."""
    menu = st.popover(
        "",
        icon=":material/more_vert:",
        type="tertiary",
        help="Rename or delete the album",
        key=f"album menu {_changes()}",
    )
    with menu:
        with st.form("rename album", border=False):
            st.text_input("Name of the album", name, max_chars=LONGEST_NAME, key=f"{NEW_NAME} {name}")
            st.form_submit_button("Rename", on_click=_rename, args=[name])
        st.caption("Deleting an album leaves its pictures where they are.")
        st.button("Delete album", icon=":material/delete:", on_click=_delete, args=[name])


def albums_of_picture(gallery: Gallery, image: str) -> None:
    """The albums that hold a picture; administrators change them."""
    (picture,) = contents(gallery, [image])
    key = f"albums of {picture}"
    try:
        chosen = album_store().names_with(picture)
    except BoxfindError as problem:
        st.caption(plain(str(problem)))
        return
    if is_admin():
        st.multiselect(
            "Albums",
            sorted({*album_names(), *chosen}, key=str.casefold),
            chosen,
            accept_new_options=True,
            placeholder="Choose albums, or type a new name",
            key=key,
            on_change=_change,
            args=[gallery, image, chosen, key],
        )
    elif chosen:
        st.caption(f"In the albums: {plain(', '.join(chosen))}")


@errors_as_toasts()
def _add(gallery: Gallery, images: Sequence[str]) -> None:
    add_to_album(gallery, st.session_state[f"{ADD_TO} {_changes()}"] or "", images)
    clear_selection()
    _changed()


@errors_as_toasts()
def _remove(gallery: Gallery, name: str, images: Sequence[str]) -> None:
    remove_from_album(gallery, name, images)
    clear_selection()


@errors_as_toasts()
def _rename(name: str) -> None:
    require_admin()
    new = st.session_state[f"{NEW_NAME} {name}"]
    album_store().rename(name, new)
    edit_gallery_filter("album", normalised(new))
    _changed()


@errors_as_toasts()
def _delete(name: str) -> None:
    require_admin()
    album_store().delete(name)
    edit_gallery_filter("album", "")
    _changed()
    st.toast(f"Deleted the album {plain(name)}.", icon=":material/delete:")


@errors_as_toasts()
def _change(gallery: Gallery, image: str, before: Sequence[str], key: str) -> None:
    now = {normalised(name) for name in st.session_state[key]}
    for name in now - set(before):
        add_to_album(gallery, name, [image])
    for name in set(before) - now:
        remove_from_album(gallery, name, [image])


def _changes() -> int:
    return int(st.session_state.get(CHANGES, 0))


def _changed() -> None:
    st.session_state[CHANGES] = _changes() + 1
