"""Say that the folder of the pictures is not there, and offer its new place to the administrator at this machine."""

import threading
from pathlib import Path

import streamlit as st

from boxfind.moved_folder import moved_to
from boxfind.settings import Settings
from boxfind.ui.administration.add_collection import use_moved_folder
from boxfind.ui.authorization import is_admin, is_local_admin
from boxfind.ui.collection_choice import current_collection, title_of
from boxfind.ui.error_boundary import polled
from boxfind.ui.session import shared_engine, shared_engines
from boxfind.ui.widgets.picture_dialog import dialog_may_be_open
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from index.operations.away_check import is_away
from retrieval.printable_names import printable

POLL = "3s"
"""How often an open page looks whether the folder is back."""
AWAY = (
    "{folder} is not there: its drive is not connected, or the folder was moved or renamed. The pictures can "
    "still be searched; they are shown as thumbnails until it is back."
)


class MovedFolderSearch:
    """Looks in the background, once, where the folder of an index has gone. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._found: Path | None = None
        self._thread = threading.Thread(target=self._look, args=[settings], name="look for folder", daemon=True)
        self._thread.start()

    @property
    def looking(self) -> bool:
        return self._thread.is_alive()

    @property
    def found(self) -> Path | None:
        return self._found

    def _look(self, settings: Settings) -> None:
        self._found = moved_to(settings)


def away_note(gallery: Gallery) -> None:
    """Show a note while the folder is away. It goes by itself when the folder is back."""
    if is_away(gallery.manifest.gallery):
        polled(_note, POLL)(gallery.manifest.gallery)


def _note(folder: str) -> None:
    if not is_away(folder):
        if not dialog_may_be_open():
            st.rerun()
        return
    with st.container(border=True, key="away", gap="xsmall"):
        st.markdown(f":material/usb_off: {AWAY.format(folder=_which_folder())}")
        if is_admin():
            st.caption(plain(printable(folder)))
        if is_local_admin():
            _offer(_search_for_moved(folder))


def _which_folder() -> str:
    """How to call the folder; with several collections that of the current one."""
    if len(shared_engines().collections.all()) == 1:
        return "The picture folder"
    return f"The picture folder of {plain(title_of(current_collection()))}"


def _offer(place: MovedFolderSearch) -> None:
    if place.looking:
        st.caption("Looking whether it was moved or renamed…")
    elif place.found is not None:
        label = f"The folder moved to {plain(printable(str(place.found)))}: use it"
        icon = ":material/drive_file_move:"
        st.button(
            label, type="primary", icon=icon, key="use moved folder", on_click=use_moved_folder, args=[place.found]
        )
    else:
        st.page_link("pages/collections.py", label="It was moved: choose its new place", icon=":material/folder_open:")


@st.cache_resource(ttl="60s", max_entries=4, show_spinner=False)
def _search_for_moved(folder: str) -> MovedFolderSearch:
    """Shared by all visits for a minute, since it looks into many folders."""
    return MovedFolderSearch(shared_engine().settings)
