"""The gallery a page works on, and what stands in its place while there is none that can be used."""

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
    "There is no index. Whoever runs this program makes one with "
    "`boxfind build --gallery DIR --index DIR`, or here, when it is started with `boxfind app` or with "
    "`BOXFIND_ADMIN` set (docs/admin.md)."
)


def ready_gallery() -> Gallery:
    """The gallery to search, for the first line of a page.

    While there is none the page shows why, or how far the first build is, and stops here.
    """
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
    """Every folder that can be chosen, in order."""
    return _folders(gallery.folder.name, gallery)


def failure(error: BoxfindError) -> None:
    """An error as the page shows it; where a new index would help, with the button for those who may build one."""
    admin = is_admin()
    if isinstance(error, WeightsMissing | RuntimeMissing) and not admin:  # it may name folders of this machine
        log.error("Searching is not possible: %s", error)
        st.error("Searching is not possible now; the log of this program says why.", icon=":material/error:")
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
    """Starts the first build, which needs no button; False, with the reason on the page, when it cannot be."""
    try:
        start_build()
    except BoxfindError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return False
    return True
