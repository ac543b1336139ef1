"""Find a folder among those of the machine that runs the program, for the administrator at that machine."""

import getpass
import os
import string
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import streamlit as st

from boxfind.logs import log
from boxfind.settings_schema import utf8_path
from boxfind.ui.authorization import require_local_admin
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.operations.add_images import checked_folder
from index.storage.time_limit import answers, result_within
from retrieval.errors import GalleryProblem
from retrieval.images.limits import SOURCE_SUFFIXES
from retrieval.printable_names import shown

SHOWN, TYPED, NEW = "folder shown", "folder path", "new folder"
"""Session keys: the folder whose subfolders are listed, and the text fields."""
MOST, MOST_DRIVES = 300, 8
"""Most subfolders in the list, and most drives."""
SECONDS = 3.0
"""A page waits no longer for a folder."""


def folder_browser() -> Path:
    """Show a folder with its subfolders to step into, and return it."""
    require_local_admin()
    folder = _shown()
    st.session_state.setdefault(TYPED, str(folder))
    st.text_input("Folder", key=TYPED, on_change=_go_to_typed, max_chars=1000, help="Type or paste a path.")
    _shortcuts()
    below, pictures, problem = result_within(
        SECONDS, partial(_listed, folder), (list[Path](), 0, "its drive does not answer")
    )
    if problem:
        st.warning(f"{plain(str(folder))} cannot be opened: {problem}.", icon=":material/warning:")
    with st.container(height=260, gap=None):
        if folder.parent != folder:
            _step(folder.parent, f"Up to {shown(folder.parent.name) or folder.parent}", ":material/arrow_upward:", "up")
        for number, child in enumerate(below[:MOST]):
            _step(child, shown(child.name), ":material/folder:", f"into {number}")
        if not below:
            st.caption("This folder has no subfolders.")
        if len(below) > MOST:
            st.caption(f"And {len(below) - MOST:,} more: type the path above.")
    count = counted(pictures, "picture") if pictures else "No pictures"
    included = "; its subfolders are included" if below else ""
    here = plain(shown(folder.name) or str(folder))
    st.caption(f"{count} directly in {here}{included}. Boxfind changes nothing in the folder.")
    return folder


def new_folder_button(folder: Path) -> None:
    """A button that makes a folder in this one."""
    popover = st.popover("New folder", icon=":material/create_new_folder:", key=f"new folder in {folder}")
    with popover, st.form("make folder", border=False):  # another key closes it when the folder has been made
        st.text_input("Name of the new folder", key=NEW, max_chars=200)
        st.form_submit_button("Make folder", on_click=_make, args=[folder])


def drives() -> list[Path]:
    """List the folders of mounted drives, without drives that do not answer."""
    if sys.platform == "win32":
        drives = [Path(f"{letter}:/") for letter in string.ascii_uppercase]
        return [drive for drive in drives if result_within(1.0, drive.exists, otherwise=False)]
    above = [Path("/Volumes")] if sys.platform == "darwin" else [Path("/media", _user()), Path("/run/media", _user())]
    found = list[Path]()
    for folder in above if sys.platform == "darwin" else [*above, Path("/mnt")]:
        with suppress(OSError):
            found += subfolders(folder)
    return found


def _user() -> str:
    with suppress(KeyError, OSError, ImportError):  # a container may have no name for its user
        return getpass.getuser()
    return ""


def _shortcuts() -> None:
    """Buttons for the home folder and the mounted drives."""
    with st.container(horizontal=True, gap="small"):
        _step(Path.home(), "Home", ":material/home:", "home")
        for number, drive in enumerate(drives()[:MOST_DRIVES]):
            _step(drive, shown(drive.name) or str(drive), ":material/hard_drive:", f"drive {number}")


def _listed(folder: Path) -> tuple[list[Path], int, str]:
    """The subfolders of a folder, the number of its pictures, and why it cannot be opened."""
    try:
        return subfolders(folder), count_pictures(folder), ""
    except OSError as error:
        return [], 0, str(error.strerror)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name, without hidden ones. Raises OSError."""
    with os.scandir(folder) as entries:
        found = [Path(entry.path) for entry in entries if not entry.name.startswith(".") and _is_folder(entry)]
    return sorted(filter(_is_text, found), key=lambda path: (path.name.casefold(), path.name))


def count_pictures(folder: Path) -> int:
    """The number of files in a folder whose names end like those of pictures. Raises OSError."""
    with os.scandir(folder) as entries:
        return sum(entry.name.lower().endswith(SOURCE_SUFFIXES) and not entry.name.startswith(".") for entry in entries)


def _step(folder: Path, label: str, icon: str, key: str) -> None:
    st.button(plain(label), key=f"folder {key}", icon=icon, type="tertiary", on_click=_go_to, args=[folder])


def _shown() -> Path:
    """The folder to show: at first the gallery, or the visitor's home folder."""
    settings = shared_engine().settings
    is_there = not settings.is_sample and result_within(1.0, settings.gallery_dir.is_dir, otherwise=False)
    start = settings.gallery_dir if is_there else Path.home()
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
        if not answers(folder):
            raise GalleryProblem(f"The folder {shown(typed)} does not answer; check that its drive is connected.")
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
