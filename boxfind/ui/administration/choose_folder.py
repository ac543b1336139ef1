"""Choose the folder of pictures to search, among the folders of the machine that runs the program."""

import os
from pathlib import Path

import streamlit as st

from boxfind.logs import log
from boxfind.settings_schema import utf8_path
from boxfind.ui.authorization import require_local_admin
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.session import given_at_start, serve_gallery, shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.operations.add_images import checked_folder
from retrieval.errors import GalleryProblem
from retrieval.images.limits import SOURCE_SUFFIXES
from retrieval.printable_names import shown

SHOWN, TYPED, NEW = "folder shown", "folder path", "new folder"
"""Session keys: the folder whose subfolders are listed, and the text fields."""
MOST = 300
"""Most subfolders in the list."""


def choose_folder() -> None:
    """Show a folder with its subfolders to step into, and the button that makes it the gallery."""
    require_local_admin()
    folder = _shown()
    st.session_state.setdefault(TYPED, str(folder))
    st.text_input("Folder", key=TYPED, on_change=_go_to_typed, max_chars=1000, help="Type or paste a path.")
    try:
        below, pictures = subfolders(folder), count_pictures(folder)
    except OSError as error:
        st.warning(f"{plain(str(folder))} cannot be opened: {error.strerror}.", icon=":material/warning:")
        below, pictures = [], 0
    with st.container(height=260):
        if folder.parent != folder:
            _step(folder.parent, f"Up to {shown(folder.parent.name) or folder.parent}", ":material/arrow_upward:", "up")
        for number, child in enumerate(below[:MOST]):
            _step(child, shown(child.name), ":material/folder:", f"into {number}")
        if not below:
            st.caption("This folder has no subfolders.")
        if len(below) > MOST:
            st.caption(f"And {len(below) - MOST:,} more: type the path above.")
    here = f"{plain(shown(folder.name) or str(folder))} itself holds {counted(pictures, 'picture')}"
    st.caption(f"{here}; its subfolders are searched, too. Searching changes nothing in the folder.")
    _actions(folder)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name, without hidden ones. Raises OSError."""
    with os.scandir(folder) as entries:
        found = [Path(entry.path) for entry in entries if not entry.name.startswith(".") and _is_folder(entry)]
    return sorted(filter(_is_text, found), key=lambda path: (path.name.casefold(), path.name))


def count_pictures(folder: Path) -> int:
    """The number of files in a folder whose names end like those of pictures. Raises OSError."""
    with os.scandir(folder) as entries:
        return sum(entry.name.lower().endswith(SOURCE_SUFFIXES) and not entry.name.startswith(".") for entry in entries)


def _actions(folder: Path) -> None:
    settings = shared_engine().settings
    with st.container(horizontal=True, vertical_alignment="center"):
        current = not settings.is_sample and folder == settings.gallery_dir
        label = "This folder is being searched" if current else "Search this folder"
        st.button(label, type="primary", icon=":material/check:", disabled=current, on_click=_use, args=[folder])
        popover = st.popover("New folder", icon=":material/create_new_folder:", key=f"new folder in {folder}")
        with popover, st.form("make folder", border=False):  # another key closes it when the folder has been made
            st.text_input("Name of the new folder", key=NEW, max_chars=200)
            st.form_submit_button("Make folder", on_click=_make, args=[folder])
        if not settings.is_sample:
            st.button("Use the sample gallery", type="tertiary", on_click=_use, args=[None])
    if given := given_at_start():
        index = " The index folder given at the start is not used for it." if "BOXFIND_INDEX" in given else ""
        st.caption(
            f"Boxfind was started with a given folder: another choice holds until Boxfind is started again.{index}"
        )


def _step(folder: Path, label: str, icon: str, key: str) -> None:
    st.button(plain(label), key=f"folder {key}", icon=icon, type="tertiary", on_click=_go_to, args=[folder])


def _shown() -> Path:
    """The folder to show: at first the gallery, or the visitor's home folder."""
    settings = shared_engine().settings
    start = Path.home() if settings.is_sample or not settings.gallery_dir.is_dir() else settings.gallery_dir
    folder: Path = st.session_state.setdefault(SHOWN, start)
    return folder


def _go_to(folder: Path) -> None:
    st.session_state[SHOWN], st.session_state[TYPED] = folder, str(folder)


@errors_as_toasts()
def _go_to_typed() -> None:
    """Show the typed folder. Raises NotAllowed, and GalleryProblem if there is no such folder."""
    require_local_admin()
    typed = st.session_state[TYPED].strip()
    try:
        folder = Path(typed).expanduser()
        if not typed or not folder.is_absolute() or not folder.is_dir() or not _is_text(folder):
            raise GalleryProblem(f"There is no folder {shown(typed)}; write its full path.")
    except (OSError, RuntimeError, ValueError) as error:  # no such user, or a null character
        raise GalleryProblem(f"There is no folder {shown(typed)}: {error}.") from None
    _go_to(folder.resolve())


@errors_as_toasts()
def _make(parent: Path) -> None:
    """Make a folder and show it. Raises NotAllowed, GalleryProblem."""
    who = require_local_admin()
    folder = parent / checked_folder(st.session_state[NEW].strip())
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise GalleryProblem(f"{shown(folder.name)} cannot be made: {error.strerror}.") from None
    log.info("A new folder was made by %s.", who)
    st.session_state[NEW] = ""
    _go_to(folder)


@errors_as_toasts()
def _use(folder: Path | None) -> None:
    """Make a folder the gallery; None is the sample gallery. Raises NotAllowed, GalleryProblem."""
    who = require_local_admin()
    if folder is not None and not os.access(folder, os.R_OK | os.X_OK):
        raise GalleryProblem(f"{shown(str(folder))} cannot be opened; choose another folder.")
    try:
        serve_gallery(folder and folder.resolve())
    except OSError as error:
        raise GalleryProblem(f"The choice cannot be kept in the data folder: {error.strerror}.") from None
    log.info("Another gallery folder was chosen by %s.", who)
    for key in (SHOWN, TYPED):
        st.session_state.pop(key, None)
    st.switch_page("pages/search.py")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or to a disk that does not answer
        return False


def _is_text(path: Path) -> bool:
    try:
        utf8_path(path)
    except ValueError:
        return False
    return True
