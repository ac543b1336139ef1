"""Load the gallery for a page, or show why none is available."""

from typing import NoReturn

import streamlit as st

from boxfind.engine import Engine
from boxfind.logs import log
from boxfind.ui.authorization import is_admin
from boxfind.ui.build_panel import first_build, may_start, rebuild_button, start_build
from boxfind.ui.navigation import require_app
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.safe_text import plain
from index.building.jobs import CANCELLED
from index.gallery import Gallery
from retrieval.errors import BoxfindError, IndexProblem, RuntimeMissing, StoreAway, WeightsMissing

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
    warning = engine.warning()
    if warning:
        st.warning(plain(warning), icon=":material/warning:")
        if is_admin() and not engine.store_away():
            rebuild_button()
    return gallery


def folders(gallery: Gallery) -> list[str]:
    """All folders of the gallery, sorted."""
    return _folders(gallery.folder.name, gallery)


def failure(error: BoxfindError) -> None:
    """Show an error. If a new index would help, administrators get a build button."""
    admin = is_admin()
    if isinstance(error, WeightsMissing | RuntimeMissing) and not admin:  # the message may name folders
        log.error("Search is unavailable: %s", error)
        st.error("Search is unavailable. The administrator finds the reason in the log.", icon=":material/error:")
        return
    st.error(plain(str(error)), icon=":material/error:")
    if isinstance(error, IndexProblem) and not isinstance(error, StoreAway) and admin:
        rebuild_button()


@st.cache_data(max_entries=8, show_spinner=False)
def _folders(generation: str, _gallery: Gallery) -> list[str]:
    return _gallery.folders()


def _without_index(engine: Engine, problem: IndexProblem) -> NoReturn:
    allowed, state = may_start(engine), engine.build_state()
    if state is not None and state.state == "running":
        first_build(engine)
        st.stop()
    if state is None and allowed and _started():
        st.rerun()
    st.header("Nothing to search yet", anchor=False)
    if not allowed:
        st.info(NO_INDEX, icon=":material/info:")
    elif state is not None and state.state == "cancelled":
        st.info(CANCELLED)
    else:
        st.error(plain((state and state.message) or str(problem)), icon=":material/error:")
    if allowed:
        rebuild_button("Build the index")
    st.stop()


def _started() -> bool:
    """Start the first build without a button. On failure, show the error and return False."""
    try:
        start_build()
    except BoxfindError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return False
    return True
