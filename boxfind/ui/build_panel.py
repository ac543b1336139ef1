"""Build progress and result; for administrators, the buttons that start and cancel a build."""

import contextlib
import time
from typing import Any

import streamlit as st

from boxfind.engine import Engine
from boxfind.logs import log
from boxfind.ui.authorization import is_admin, require_admin
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.building.jobs import CANCELLED, BuildState
from retrieval.errors import IndexProblem


def build_panel() -> None:
    """Show the state of the build in the sidebar, with the build buttons for administrators."""
    engine = shared_engine()
    running = running_build(engine) is not None
    st.fragment(_progress, run_every="1s" if running else None)(running)
    if running or not is_admin():
        return
    with st.container(gap="xxsmall"):
        gallery = engine.gallery()
        changes = engine.recipe_changes(gallery)
        if changes:
            count = gallery.manifest.counts.images
            pictures = "the picture" if count == 1 else f"all {counted(count, 'picture')}"
            st.caption(plain(f"The next update reads {pictures} again: {'; '.join(changes)}."))
        reads_new = "Reads new and changed pictures only."
        build_button("Update index", type="tertiary", icon=":material/refresh:", help=reads_new)
        reads_all = "Reads every picture and analyses the gallery again. This takes as long as the first build."
        build_button("Rebuild index", full=True, type="tertiary", icon=":material/restart_alt:", help=reads_all)


def build_button(label: str, full: bool = False, **appearance: Any) -> None:
    """A button that starts a build."""
    st.button(label, on_click=errors_as_toasts()(start_build), args=[full], **appearance)


def start_build(full: bool = False) -> None:
    """Start a build. Raises NotAllowed, and IndexProblem when the index folder is not writable."""
    engine = shared_engine()
    who = "the first visitor" if _is_first_of_samples(engine) else require_admin()
    log.info("%s requested by %s.", "Full build" if full else "Build", who)
    engine.start_build(full)


def may_start_build(engine: Engine) -> bool:
    """Whether this visitor may start a build."""
    return _is_first_of_samples(engine) or is_admin()


def running_build(engine: Engine) -> BuildState | None:
    """The state of the running build; None if no build is running."""
    state = engine.build_state()
    return state if state is not None and state.state == "running" else None


def first_build(engine: Engine) -> None:
    """The page shown during the first build."""
    st.title("Building the index")
    if engine.settings.is_sample:
        st.markdown(
            "No gallery is configured, so Boxfind is creating and indexing a **sample gallery**. To search your own "
            "pictures, start Boxfind with `boxfind app --gallery /path/to/pictures`."
        )
    else:
        st.markdown("Boxfind is indexing your gallery. You can close this page and come back later.")
    st.fragment(_progress, run_every="1s")(was_running=True)


def _is_first_of_samples(engine: Engine) -> bool:
    """Whether the sample gallery has no index yet. Anyone may build it: it is small and replaces nothing."""
    if not engine.settings.is_sample:
        return False
    try:
        engine.gallery()
    except IndexProblem:
        return True
    return False


def _progress(was_running: bool) -> None:
    state = shared_engine().build_state()
    if state is None:
        if was_running:
            st.rerun()
        return
    if state.state == "running":
        _show_running(state)
    elif state.state == "cancelled":
        st.caption(CANCELLED)
    elif state.state == "failed":
        reason = plain(state.message) if is_admin() else ""  # the message may name folders
        st.error(f"The last build failed. {reason}", icon=":material/error:")
    if was_running and state.state != "running":
        with contextlib.suppress(IndexProblem):
            shared_engine().gallery(newest=True)
        st.rerun()  # rerun the whole page to serve the new generation


def _show_running(state: BuildState) -> None:
    text = plain(state.stage)
    if state.total:
        text += f": {state.done:,} of {state.total:,}"
        if state.seconds_left is not None:
            seconds = state.seconds_left
            rate = f"{state.rate:.0f} a second" if state.rate >= 1 else f"{60 * state.rate:.0f} a minute"
            text += f", {rate}, " + (f"{seconds:.0f} s left" if seconds < 90 else f"{seconds / 60:.0f} min left")
    st.progress(min(state.done / state.total, 1.0) if state.total else 0.0, text=text)
    if state.notice:
        st.caption(plain(state.notice))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Started {time.strftime('%H:%M', time.localtime(state.started))}")
        if is_admin():
            st.button("Cancel", type="tertiary", on_click=_cancel_build, key="cancel build")


@errors_as_toasts()
def _cancel_build() -> None:
    log.info("Build cancelled by %s.", require_admin())
    shared_engine().cancel_build()
