"""Start builds, and tell how the last one ended."""

from typing import Any

import streamlit as st

from boxfind.engine import Engine
from boxfind.logs import log
from boxfind.ui.authorization import is_admin, is_local_admin, require_admin
from boxfind.ui.error_boundary import error_boundary, errors_as_toasts
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.picture_dialog import dialog_opens
from boxfind.ui.widgets.safe_text import plain
from index.building.jobs import BuildState
from retrieval.errors import IndexProblem

WHAT_IT_DOES = (
    "Draw a box around an object in a picture, and Boxfind finds the pictures of your collection that show this very "
    "object. Everything stays on this machine."
)


def build_button(label: str, **appearance: Any) -> None:
    """A button that starts a build."""
    st.button(label, on_click=errors_as_toasts()(start_build), **appearance)


def rebuild_button(full: bool = True, **appearance: Any) -> None:
    """A button that asks before it starts a build of all pictures. Without `full`, an update will read all of them."""
    if st.button("Rebuild index", icon=":material/restart_alt:", **appearance):
        _ask_to_rebuild(full)


def start_build(full: bool = False) -> None:
    """Start a build. Raises NotAllowed, and IndexProblem when the index folder is not writable."""
    engine = shared_engine()
    who = "the first visitor" if _is_first_of_samples(engine) else require_admin()
    log.info("%s requested by %s.", "Full build" if full else "Build", who)
    engine.builds.start(full)


def may_start_build(engine: Engine) -> bool:
    """Whether this visitor may start a build."""
    return _is_first_of_samples(engine) or is_admin()


def running_build(engine: Engine) -> BuildState | None:
    """The state of the running build; None if no build is running."""
    state = engine.builds.state()
    return state if state is not None and state.state == "running" else None


def first_build(engine: Engine) -> None:
    """The page shown during the first build."""
    st.title("Building the index", anchor=False)
    if not engine.settings.is_sample:
        st.markdown(
            "Boxfind is reading your pictures. The search opens as soon as the first ones are ready. You can close "
            "this page and come back later."
        )
        return
    st.markdown(f"{WHAT_IT_DOES} It starts with a **sample gallery** to play with, which is being drawn and indexed.")
    if is_local_admin():
        icon = ":material/create_new_folder:"
        if st.button("Use my own pictures", type="primary", icon=icon):
            st.switch_page("pages/collections.py")
    else:
        st.markdown("To search your own pictures, start Boxfind with `boxfind app --gallery /path/to/pictures`.")


def _is_first_of_samples(engine: Engine) -> bool:
    """Whether the sample gallery has no index yet. Anyone may build it: it is small and replaces nothing."""
    return engine.settings.is_sample and not has_index(engine)


def has_index(engine: Engine) -> bool:
    """Whether there is anything to search."""
    try:
        engine.gallery()
    except IndexProblem:
        return False
    return True


@st.dialog("Rebuild the index?")
@error_boundary()
def _ask_to_rebuild(full: bool) -> None:
    dialog_opens()
    engine = shared_engine()
    with st.spinner("Measuring the speed of this machine…"):
        sentence = engine.builds.rebuild_sentence(engine.gallery())
    st.markdown(f"{plain(sentence)} You can search the current index meanwhile.")
    if full:
        st.caption("To add new and changed pictures only, update the index instead.")
    with st.container(horizontal=True):
        start = st.button(
            "Start rebuilding", type="primary", on_click=errors_as_toasts()(start_build), args=[full], key="rebuild now"
        )
        if st.button("Cancel", key="do not rebuild") or start:
            st.rerun()  # closes the dialog


def failure_text(state: BuildState) -> str:
    """Why the last build failed. Only administrators see the reason, which may name folders."""
    return f"The last build failed. {plain(state.message) if is_admin() else ''}"
