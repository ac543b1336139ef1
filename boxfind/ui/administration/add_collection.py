"""Add a collection: choose folders of this machine, see how many pictures they hold, and start its first build."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from boxfind.collection_table import LONGEST_NAME, Collection, CollectionsProblem, checked_patterns, free_name
from boxfind.logs import log
from boxfind.ui.administration.folder_browser import folder_browser, new_folder_button
from boxfind.ui.authorization import require_local_admin
from boxfind.ui.build_panel import has_index
from boxfind.ui.collection_choice import current_collection, look_at, title_of
from boxfind.ui.error_boundary import error_boundary, errors_as_toasts
from boxfind.ui.session import shared_engine, shared_engines
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.picture_dialog import dialog_opens
from boxfind.ui.widgets.safe_text import plain
from index.operations.away_check import is_away
from index.storage.folder_scan import scan_gallery
from retrieval.errors import BoxfindError
from retrieval.printable_names import shown

COLLECTED, NAME, EXCLUDED = "collected folders", "new collection", "excluded patterns"
"""Session keys: further folders of the next collection, its name, and what to leave out."""


def add_collection() -> None:
    """Browse the folders of this machine, with a button that adds the one shown as a collection."""
    current = current_collection()
    if current.folders and is_away(str(current.folders[0])) and has_index(shared_engine()):
        st.info(
            f"The folder of {plain(title_of(current))} is not there. If it was moved or renamed, open its new place "
            "and press *Add this folder*: Boxfind recognises the pictures and reads nothing again.",
            icon=":material/drive_file_move:",
        )
    folder = folder_browser()
    collected = st.session_state.setdefault(COLLECTED, list[Path]())
    if collected:
        _collected_folders(collected)
    with st.container(horizontal=True, vertical_alignment="center"):
        label = f"Add {counted(len(collected), 'folder')}" if collected else "Add this folder"
        if st.button(label, type="primary", icon=":material/check:", key="add folders"):
            _ask(collected or [folder])
        st.button(
            "Take this folder, too" if collected else "Take several folders",
            icon=":material/add:",
            help="Several folders become one collection. Take this one, then open the next one above.",
            on_click=collected.append,
            args=[folder],
            disabled=folder in collected,
            key="collect folder",
        )
        new_folder_button(folder)


def _collected_folders(collected: list[Path]) -> None:
    """List the folders that were taken for the next collection, each with a button that removes it again."""
    st.caption("These folders become one collection. To take another one, open it above.")
    with st.container(gap=None):
        for number, folder in enumerate(collected):
            st.button(
                plain(shown(str(folder))),
                icon=":material/close:",
                help="Remove from these folders",
                key=f"remove folder {number}",
                type="tertiary",
                on_click=collected.remove,
                args=[folder],
            )


@st.dialog("Add a collection")
@error_boundary()
def _ask(folders: Sequence[Path]) -> None:
    dialog_opens()
    st.text_input("Name", free_name(folders[0], shared_engines().collections.all()), max_chars=LONGEST_NAME, key=NAME)
    st.text_input(
        "Leave out (optional)",
        placeholder="drafts/, *.png",
        key=EXCLUDED,
        max_chars=1000,
        help="Patterns as in .gitignore files, separated by commas. They refer to the folder.",
    )
    count: int | None = None
    try:
        excluded = checked_patterns(_patterns())
        with st.spinner("Counting the pictures…"):
            count = count_files(folders, excluded)
            st.markdown(_reading(count))
    except BoxfindError as problem:
        st.warning(plain(str(problem)), icon=":material/warning:")
    with st.container(horizontal=True):
        label = "Add" if count == 0 else "Add and start"
        start = st.button(label, type="primary", key="add collection", on_click=_add, args=[folders])
        if st.button("Cancel", key="do not add") or start:
            st.rerun()  # closes the dialog


@st.cache_data(max_entries=8, ttl=60, show_spinner=False)
def count_files(folders: Sequence[Path], excluded: Sequence[str]) -> int:
    """How many files a build would read. Raises GalleryProblem."""
    collection = Collection("new", tuple(folders), tuple(excluded))
    settings = shared_engines().collections.settings_of(collection)
    return len(scan_gallery(settings.gallery_dir, settings.gallery_rules).found)


def _reading(count: int) -> str:
    """What the first build of a collection with so many files reads, and how long that takes."""
    if not count:
        return "There are **no pictures** to read yet. You can add some when the collection is there."
    takes = shared_engines().get().builds.first_build_sentence(count)
    return f"**{counted(count, 'file')}** to read. {plain(takes)} You can search as soon as the first ones are read."


def _patterns() -> list[str]:
    given = str(st.session_state.get(EXCLUDED) or "")
    return [pattern.strip() for pattern in given.split(",") if pattern.strip()]


@errors_as_toasts()
def _add(folders: Sequence[Path]) -> None:
    """Add a collection, start its build and look at it. Raises NotAllowed, CollectionsProblem."""
    who, engines = require_local_admin(), shared_engines()
    if len(folders) == 1 and engines.has_moved_to(current_collection(), folders[0]):
        use_moved_folder(folders[0])
        return
    collection = engines.collections.table.add(st.session_state[NAME], folders, _patterns())
    log.info("A collection was added by %s.", who)
    st.session_state.pop(COLLECTED, None)
    if count_files(collection.folders, collection.excluded):  # without pictures, the page offers to add some
        engines.of(collection).builds.start()
    look_at(collection.name)


@errors_as_toasts()
def use_moved_folder(folder: Path) -> None:
    """Look for the pictures of the current collection in the folder that they have moved to.

    Raises NotAllowed, CollectionsProblem, DiskFull, IndexProblem, BuildRunning.
    """
    who = require_local_admin()
    try:
        collection = shared_engines().follow(current_collection(), folder.resolve())
    except OSError as error:
        place = error.filename or "The data folder"
        raise CollectionsProblem(f"{place} cannot be written: {error.strerror}; try again once it can.") from None
    log.info("The folder of a collection has moved; %s chose its new place, and its index is used.", who)
    if folder.resolve() in collection.folders[1:]:  # an update puts the new places into the index
        shared_engines().of(collection).builds.start()
        look_at(collection.name, "These pictures are known: they are not described again.")
        return
    look_at(collection.name, "These pictures are known: nothing is read again.")
