"""The collections, for the administrator at this machine: look at one, rename, put first, remove."""

from contextlib import suppress

import streamlit as st

from boxfind.collection_table import DEFAULT, LONGEST_NAME, SAMPLE, Collection, CollectionsProblem
from boxfind.logs import log
from boxfind.ui.authorization import require_local_admin
from boxfind.ui.build_panel import running_build
from boxfind.ui.collection_choice import current_collection, look_at, switch_collection, title_of
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.session import shared_engines
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.operations.away_check import is_away
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from retrieval.errors import IndexProblem
from retrieval.printable_names import printable

NEVER_DELETED = "Pictures are never deleted."
SAMPLE_COMES_BACK = "Boxfind draws it again when there is no other collection."


def collection_list() -> None:
    """List all collections with their buttons. The first one is served if none is asked for."""
    require_local_admin()
    try:
        shared_engines().collections.table.read()
    except CollectionsProblem as problem:
        st.error(plain(str(problem)), icon=":material/error:")
        return
    collections = shared_engines().collections.all()
    if len(collections) > 1:
        st.caption("Each is searched by itself, or all together. The first one opens when Boxfind starts.")
    for number, collection in enumerate(collections):
        with st.container(border=True, horizontal=True, wrap=False, vertical_alignment="center"):
            st.markdown(_sentence(collection), width="stretch")
            with st.container(horizontal=True, wrap=False, width="content", vertical_alignment="center", gap="small"):
                _buttons(number, collection, is_only_one=len(collections) == 1)


def _sentence(collection: Collection) -> str:
    folders = ", ".join(printable(str(folder)) for folder in collection.folders)
    left_out = f", without {', '.join(map(printable, collection.excluded))}" if collection.excluded else ""
    return f"**{plain(title_of(collection))}**: {_state(collection)}  \n{plain(folders + left_out)}"


def _state(collection: Collection) -> str:
    """Its pictures, whether its index is being built, and which of its folders are not there."""
    away = [printable(folder.name) for folder in collection.folders if is_away(str(folder))]
    which = "its folder" if len(collection.folders) == 1 else " and ".join(away)
    missing = f"{which} {'is' if len(away) == 1 else 'are'} empty or not there"
    return " · ".join([_indexed(collection), *[missing] * bool(away)])


def _indexed(collection: Collection) -> str:
    engine, pictures = shared_engines().of(collection), ""
    with suppress(IndexProblem):
        pictures = counted(read_manifest(current_folder(engine.settings.index_dir)).counts.images, "picture")
    if running_build(engine):
        return f"{pictures}, being updated" if pictures else "being indexed for the first time"
    return pictures or "not indexed yet"


def _buttons(number: int, collection: Collection, is_only_one: bool) -> None:
    name = collection.name
    if collection == current_collection():
        st.badge("Open now", icon=":material/check:", color="green")
    else:
        st.button("Open", key=f"look {number}", on_click=look_at, args=[name])
    if name == DEFAULT or (name == SAMPLE and is_only_one):
        return
    label = f"More about {plain(title_of(collection))}"  # for screen readers
    with st.popover(label, icon=":material/more_vert:", type="tertiary", key=f"more of {name}"):
        if name != SAMPLE:
            field = f"new name of {name}"
            with st.form(f"rename {number}", border=False):
                st.text_input("Name", name, max_chars=LONGEST_NAME, key=field)
                st.form_submit_button("Rename", on_click=_rename, args=[name, field])
            st.button(
                "Make it the first", key=f"first {number}", disabled=number == 0, on_click=_put_first, args=[name]
            )
        with_index = name == SAMPLE or st.toggle("Delete its index, too", key=f"with index {number}")
        st.button(
            f"Remove {plain(title_of(collection))}", key=f"remove {number}", on_click=_remove, args=[name, with_index]
        )
        st.caption(NEVER_DELETED if name != SAMPLE else SAMPLE_COMES_BACK)


@errors_as_toasts()
def _rename(name: str, field: str) -> None:
    """Raises NotAllowed, CollectionsProblem."""
    who, was_current = require_local_admin(), current_collection().name == name
    renamed = shared_engines().collections.table.rename(name, st.session_state[field])
    log.info("A collection was renamed by %s.", who)
    if was_current:
        switch_collection(renamed.name)


@errors_as_toasts()
def _put_first(name: str) -> None:
    """Raises NotAllowed, CollectionsProblem."""
    require_local_admin()
    shared_engines().collections.table.make_first(name)


@errors_as_toasts()
def _remove(name: str, with_index: bool) -> None:
    """Raises NotAllowed, CollectionsProblem, BuildRunning."""
    who, was_current = require_local_admin(), current_collection().name == name
    removed = shared_engines().remove(name, with_index)
    log.info("A collection was removed by %s%s.", who, ", with its index" if with_index else "")
    if was_current:
        switch_collection("")
    st.toast(f"Removed {plain(title_of(removed))}. Its pictures are where they were.", icon=":material/check:")
