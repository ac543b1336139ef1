"""Saved searches: administrators save and delete them, anyone can open them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from boxfind.searches.query_thumbnail import kept
from boxfind.searches.saved_searches import Saved
from boxfind.ui.authorization import is_admin, require_admin
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.search.search_history import title_of
from boxfind.ui.search.search_state import image_of, is_stored, open_search, search_state
from boxfind.ui.session import Picture, saved_search_store
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.request import Request
from retrieval.types import Hit

OPENED = "opened search"
"""The session key of the saved search that was opened or saved last."""


def save_search(gallery: Gallery, hits: Sequence[Hit]) -> None:
    """Save the current search under a name; hidden from visitors who are not administrators."""
    if not is_admin():
        return
    saved: Saved | None = st.session_state.get(OPENED)
    key = f"save search {saved.made if saved else ''}"  # a new key closes the menu after saving
    menu = st.popover("Save", icon=":material/bookmark_add:", on_change="rerun", key=key)
    if menu.open:
        with menu, st.form("save", border=False):
            st.text_input(
                "Name of the search", title_of(search_state().request, gallery)[:80], max_chars=80, key="search name"
            )
            st.caption("Its pictures are stored with it, without camera metadata, and visible to every visitor.")
            st.form_submit_button("Save", type="primary", on_click=_save, args=[gallery, hits], key="save now")


def saved_searches(gallery: Gallery) -> None:
    """List the saved searches in the sidebar."""
    try:
        names = saved_search_store().names()
    except BoxfindError as problem:
        st.caption(plain(str(problem)))
        return
    notice = saved_search_store().take_notice()
    if notice:
        st.warning(plain(notice), icon=":material/warning:")
    if names:
        st.subheader("Saved searches")
    for name in names:
        with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall"):
            icon = ":material/bookmark:"
            st.button(plain(name), key=f"open {name}", type="tertiary", icon=icon, on_click=_open, args=[gallery, name])
            if is_admin():
                with st.popover("", icon=":material/more_vert:", type="tertiary", key=f"more {name}"):
                    st.button(f"Delete {plain(name)}", key=f"delete {name}", on_click=_delete, args=[name])


def saved_search_changes(hits: Sequence[Hit]) -> None:
    """Show how the results changed since the open search was saved. Stores new feedback of administrators with it."""
    saved: Saved | None = st.session_state.get(OPENED)
    request = search_state().request
    if saved is None or (saved.request.examples, saved.request.words) != (request.examples, request.words):
        return
    if (saved.request.positives, saved.request.negatives) != (request.positives, request.negatives):
        if is_admin():
            _store_marks(saved.name, request)
        return
    new, gone = saved.changes([hit.image for hit in hits])
    if new or gone:
        first = ", ".join(plain(image) for image in new[:3])
        st.caption(
            f"**{plain(saved.name)}**, saved on {saved.made.astimezone():%d %B %Y}: {len(new)} new in the "
            f"top {len(hits)}{f' ({first})' if first else ''}, {len(gone)} gone."
        )


def _store_marks(name: str, request: Request) -> None:
    try:
        saved_search_store().mark(name, request)
        st.session_state[OPENED] = saved_search_store().get(name)
    except BoxfindError as problem:
        st.caption(plain(str(problem)))


@errors_as_toasts()
def _save(gallery: Gallery, hits: Sequence[Hit]) -> None:
    require_admin()
    state, name = search_state(), st.session_state["search name"].strip()
    keys = {example.picture for example in state.request.examples}
    images = {key: image_of(key, gallery) for key in keys if not is_stored(key, gallery)}
    request, pictures = kept(state.request, images, keys - images.keys())
    saved = Saved(name, request, datetime.now(UTC), gallery.folder.name, tuple(hit.image for hit in hits))
    saved_search_store().save(saved, pictures)
    state.pictures |= {key: Picture(f"{name}.jpg", jpeg) for key, jpeg in pictures.items()}
    st.session_state[OPENED] = saved
    if request != state.request:  # its pictures are now the stored ones
        open_search(request, gallery)
    st.toast(f"Saved as {plain(name)}.", icon=":material/bookmark_added:")


@errors_as_toasts()
def _open(gallery: Gallery, name: str) -> None:
    saved = saved_search_store().get(name)
    if saved is not None:
        open_search(saved.request, gallery)
        st.session_state[OPENED] = saved


@errors_as_toasts()
def _delete(name: str) -> None:
    require_admin()
    saved_search_store().delete(name)
