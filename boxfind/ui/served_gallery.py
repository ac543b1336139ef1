"""Load the gallery for a page, or show why none is available."""

from typing import NoReturn

import streamlit as st

from boxfind.engine import Engine
from boxfind.logs import log
from boxfind.ui.authorization import is_admin, is_local_admin
from boxfind.ui.away_note import away_note
from boxfind.ui.build_panel import (
    build_button,
    first_build,
    may_start_build,
    rebuild_button,
    running_build,
    start_build,
)
from boxfind.ui.navigation import require_app
from boxfind.ui.session import BY_GENERATION, shared_engine
from boxfind.ui.welcome import is_empty, welcome
from boxfind.ui.widgets.safe_text import plain
from index.building.cancellation import CANCELLED
from index.gallery import Gallery
from retrieval.errors import BoxfindError, IndexProblem, RuntimeMissing, StoreUnavailable, WeightsMissing

NO_INDEX = (
    "There is no index. An administrator can build one with `boxfind build --gallery DIR --index DIR`, or on this page "
    "if Boxfind was started with `boxfind app` or with `BOXFIND_ADMIN` set (docs/admin.md)."
)


def ready_gallery() -> Gallery:
    """The gallery to search. Without a usable index, show the reason or the build progress and stop the page."""
    require_app()
    engine = shared_engine()
    try:
        gallery = engine.gallery()
    except IndexProblem as problem:
        _without_index(engine, problem)
    away_note(gallery)
    warning = engine.warning()
    if warning:
        st.warning(plain(warning), icon=":material/warning:")
        if is_admin() and not engine.store_problem():
            _rebuild_button()
    return gallery


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=BY_GENERATION)
def folders(gallery: Gallery) -> list[str]:
    """All folders of the gallery, sorted."""
    return gallery.folders()


def failure(error: BoxfindError) -> None:
    """Show an error. If a new index would help, administrators get a build button."""
    admin = is_admin()
    if isinstance(error, WeightsMissing | RuntimeMissing) and not admin:  # the message may name folders
        log.error("Search is unavailable: %s", error)
        st.error("Search is unavailable. The administrator finds the reason in the log.", icon=":material/error:")
        return
    st.error(plain(str(error)), icon=":material/error:")
    if isinstance(error, IndexProblem) and not isinstance(error, StoreUnavailable) and admin:
        _rebuild_button()


def _rebuild_button() -> None:
    rebuild_button(full=False, type="primary", key="rebuild")


def _without_index(engine: Engine, problem: IndexProblem) -> NoReturn:
    if running_build(engine):
        first_build(engine)
        st.stop()
    allowed, state = may_start_build(engine), engine.builds.state()
    if allowed and is_empty(engine.settings):
        welcome(engine.settings)
        st.stop()
    if allowed and state is None:
        try:
            start_build()
        except BoxfindError as error:
            st.error(plain(str(error)), icon=":material/error:")
        else:
            st.rerun()
    st.header("Nothing to search yet", anchor=False)
    if not allowed:
        st.info(NO_INDEX, icon=":material/info:")
        st.stop()
    if state is not None and state.state == "cancelled":
        st.info(CANCELLED)
    else:
        st.error(plain((state and state.message) or str(problem)), icon=":material/error:")
    build_button("Build index", type="primary")
    if is_local_admin():
        st.page_link("pages/collections.py", label="Choose other folders", icon=":material/folder_open:")
    st.stop()
