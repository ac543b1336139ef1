"""Saved searches: administrators save, mark and delete them, anyone can open them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import streamlit as st

from boxfind.searches.by_content import named_contents
from boxfind.searches.errors import SavedSearchGone
from boxfind.searches.known_contents import digests
from boxfind.searches.query_thumbnail import kept
from boxfind.searches.saved_searches import LONGEST_NAME, Saved
from boxfind.ui.authorization import is_admin, require_admin
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.search.search_history import title_of
from boxfind.ui.search.search_state import image_of, is_stored, open_search, search_state
from boxfind.ui.session import Picture, saved_search_store, shared_engine
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.request import Request
from retrieval.types import Hit

OPENED_SEARCH = "opened search"
"""The session key of the saved search that was opened or saved last."""


def save_search(gallery: Gallery, hits: Sequence[Hit]) -> None:
    """Save the current search under a name; hidden from visitors who are not administrators."""
    if not is_admin():
        return
    menu = st.popover("Save", icon=":material/bookmark_add:", on_change="rerun", key=_menu_key())
    if menu.open:
        with menu, st.form("save", border=False):
            st.text_input("Name of the search", _proposed_name(gallery), max_chars=LONGEST_NAME, key="search name")
            st.caption("Its pictures are stored with it, without camera metadata, and visible to every visitor.")
            st.form_submit_button("Save", type="primary", on_click=_save, args=[gallery, hits], key="save now")


def saved_menu() -> None:
    """A menu that opens a saved search; hidden without any."""
    try:
        names = saved_search_store().names()
    except BoxfindError:  # the sidebar says so
        return
    if names:
        chosen = st.menu_button("Saved", names, icon=":material/bookmarks:", key="saved menu", format_func=plain)
        if chosen:
            open_saved_search(chosen, elsewhere=False)
            st.rerun()


def saved_searches(page: st.Page) -> None:
    """List the saved searches in the sidebar of a page. A click opens one on the Search page."""
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
            st.button(
                plain(name),
                key=f"open {name}",
                type="tertiary",
                icon=":material/bookmark:",
                on_click=open_saved_search,
                args=[name, page.url_path != ""],
            )
            if is_admin():
                # The label is for screen readers.
                with st.popover(
                    f"More about {plain(name)}", icon=":material/more_vert:", type="tertiary", key=f"more {name}"
                ):
                    st.button(f"Delete {plain(name)}", key=f"delete {name}", on_click=_delete, args=[name])


@contextmanager
def keeping_marks() -> Iterator[None]:
    """Store the feedback that an administrator gives meanwhile with the open saved search. For callbacks."""
    state, saved = search_state(), _open_search()
    before = state.request
    yield
    if saved is not None and is_admin():
        with errors_as_toasts():
            try:
                tables = shared_engine().gallery().tables
                st.session_state[OPENED_SEARCH] = saved_search_store().mark(saved, before, state.request, tables)
            except SavedSearchGone:
                del st.session_state[OPENED_SEARCH]  # so that the toast appears only once
                raise


def saved_search_changes(gallery: Gallery, hits: Sequence[Hit]) -> str:
    """How the results changed since the open search was saved, as long as both have the same feedback; else empty."""
    saved, request = _open_search(), search_state().request
    if saved is None or _marks(saved.request) != _marks(request):
        return ""
    new, missing = saved.changes(_contents(gallery, hits), saved_search_store().known(saved))
    gone = len(missing - gallery.tables.all_with_contents(missing).keys() - gallery.tables.numbers.keys())
    if not new and not gone:
        return ""
    first = ", ".join(plain(image) for image in new[:3])
    found = f"{len(new)} new in the top {len(hits)}{f' ({first})' if first else ''}, {gone} no longer in the collection"
    return f"{found} since this was saved on {saved.made.astimezone():%d %B %Y}"


@errors_as_toasts()
def open_saved_search(name: str, elsewhere: bool = True) -> None:
    """Open a saved search. `elsewhere`: from another page than Search."""
    saved = saved_search_store().get(name)
    if saved is not None:
        gallery = shared_engine().gallery()
        saved = saved.in_gallery(gallery.tables)
        open_search(saved.request, gallery)
        st.session_state[OPENED_SEARCH] = saved  # so that new marks are kept with it
        if elsewhere:
            st.switch_page("pages/search.py", query_params={})


def _open_search() -> Saved | None:
    """The open saved search; None if there is none, or the current search has other boxes or another text."""
    saved: Saved | None = st.session_state.get(OPENED_SEARCH)
    request = search_state().request
    same = saved is not None and (saved.request.examples, saved.request.words) == (request.examples, request.words)
    return saved if same else None


def _marks(request: Request) -> tuple[set[str], set[str]]:
    return set(request.positives), set(request.negatives)


def _menu_key() -> str:
    """The key of the menu. A new one closes it after saving, also where it has moved on the page."""
    saved: Saved | None = st.session_state.get(OPENED_SEARCH)
    return f"save search {saved.made if saved else ''}"


def _contents(gallery: Gallery, hits: Sequence[Hit]) -> dict[str, str]:
    """Image id -> SHA-256 of each hit."""
    hashes, numbers = gallery.tables.images["sha256"], gallery.tables.numbers
    return {hit.image: hashes[numbers[hit.image]].as_py() for hit in hits}


def _proposed_name(gallery: Gallery) -> str:
    """The name of the opened saved search as long as its pictures are searched; otherwise a title."""
    saved: Saved | None = st.session_state.get(OPENED_SEARCH)
    request = search_state().request
    if saved is not None and _subject(saved.request) == _subject(request):
        return saved.name
    return title_of(request, gallery)[:LONGEST_NAME]


def _subject(request: Request) -> object:
    """The pictures of a search, or its text if it has none."""
    return {example.picture for example in request.examples} or request.words


@errors_as_toasts()
def _save(gallery: Gallery, hits: Sequence[Hit]) -> None:
    require_admin()
    state, name = search_state(), st.session_state["search name"].strip()
    keys = {example.picture for example in state.request.examples}
    images = {key: image_of(key, gallery) for key in keys if not is_stored(key, gallery)}
    request, pictures = kept(state.request, images, keys - images.keys())
    answer = tuple(_contents(gallery, hits).values())
    contents = named_contents(request, gallery.tables)
    saved = Saved(name, request, datetime.now(UTC), gallery.folder.name, answer, contents)
    saved_search_store().save(saved, pictures, digests(gallery.tables.images["sha256"].to_pylist()))
    for jpeg in pictures.values():
        state.keep(Picture(f"{name}.jpg", jpeg))
    st.session_state[OPENED_SEARCH] = saved
    if request != state.request:  # its pictures are now the stored ones
        state.set_options(request)
        open_search(request, gallery)
    st.toast(f"Saved as {plain(name)}.", icon=":material/bookmark_added:")


@errors_as_toasts()
def _delete(name: str) -> None:
    require_admin()
    saved_search_store().delete(name)
