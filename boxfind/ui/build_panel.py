"""Start builds, and follow a running one in a line at the bottom of every page, where administrators can cancel it."""

import contextlib
import time
from typing import Any

import streamlit as st

from boxfind.engine import Engine
from boxfind.logs import log
from boxfind.ui.authorization import is_admin, is_local_admin, require_admin
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.safe_text import plain
from index.building.cancellation import CANCELLED
from index.building.jobs import BuildState
from index.building.read_text import TextProgress
from retrieval.errors import IndexProblem

POLL = "3s"
"""How often an open page looks at a running build."""
STARTS_READING = 10.0
"""Seconds after a build in which the reading of text starts."""
FOLLOWED = "followed build"
"""The session key of the build that this visit saw running, and of the page that shows its outcome, if any does."""


def build_line(page: str) -> None:
    """Show a running build, or the reading of text after it, and on the same page the outcome of the build.

    `page` is the address of the page above the line.
    The outcome takes the place of the progress until the visitor opens another page, so that nothing moves by itself.
    """
    running = running_build(shared_engine()) is not None
    with st.bottom if _has_index(shared_engine()) else st.container():  # where it moves nothing
        st.fragment(_follow, run_every=POLL if running or _may_read(shared_engine()) else None)(running, page)


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
        st.markdown("Boxfind is indexing your gallery. You can close this page and come back later.")
        return
    st.markdown("No gallery is configured, so Boxfind is creating and indexing a **sample gallery** to play with.")
    if is_local_admin():
        icon = ":material/create_new_folder:"
        if st.button("Choose a folder instead", type="primary", icon=icon):
            st.switch_page("pages/folder.py")
    else:
        st.markdown("To search your own pictures, start Boxfind with `boxfind app --gallery /path/to/pictures`.")


def _is_first_of_samples(engine: Engine) -> bool:
    """Whether the sample gallery has no index yet. Anyone may build it: it is small and replaces nothing."""
    return engine.settings.is_sample and not _has_index(engine)


def _has_index(engine: Engine) -> bool:
    try:
        engine.gallery()
    except IndexProblem:
        return False
    return True


@st.dialog("Rebuild the index?")
def _ask_to_rebuild(full: bool) -> None:
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


def _follow(was_running: bool, page: str) -> None:
    state = shared_engine().builds.state()
    if state is not None and state.state == "running":
        st.session_state[FOLLOWED] = state.id, None
        _progress(state)
        return
    if was_running:
        with contextlib.suppress(IndexProblem):
            shared_engine().gallery(newest=True)
        st.rerun()  # rerun the whole page to serve the new generation
    progress = _reading(shared_engine())
    if progress is not None:
        _reading_progress(progress)
    elif state is not None:
        _outcome(state, page)


def _may_read(engine: Engine) -> bool:
    """Whether pictures are being read for text, or soon will be, because a build has just ended."""
    state = engine.builds.state()
    just_built = state is not None and state.state == "done" and time.time() - state.now < STARTS_READING
    return (just_built and engine.settings.build.text) or _reading(engine) is not None


def _reading(engine: Engine) -> TextProgress | None:
    with contextlib.suppress(IndexProblem):
        return engine.builds.text_progress(engine.gallery)
    return None


def _reading_progress(progress: TextProgress) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        text = f"Reading what is written: {progress.read:,} of {progress.total:,}"
        st.progress(progress.read / max(progress.total, 1), text=text)
        if is_admin():
            st.button("Stop", type="tertiary", on_click=_stop_reading, key="stop reading")


def _progress(state: BuildState) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(state.done / state.total, 1.0) if state.total else 0.0, text=progress_text(state))
        if is_admin() and not state.cancelling:
            st.button("Cancel", type="tertiary", on_click=_cancel_build, args=[state.id], key="cancel build")


def progress_text(state: BuildState) -> str:
    """ "Reading pictures: 500 of 2,000, 25 a second, 60 s left"."""
    if state.cancelling:
        return "Cancelling…"
    text = plain(state.stage)
    if state.total:
        text += f": {state.done:,} of {state.total:,}"
        if state.seconds_left is not None:
            seconds = state.seconds_left
            rate = f"{state.rate:.0f} a second" if state.rate >= 1 else f"{60 * state.rate:.0f} a minute"
            text += f", {rate}, " + (f"{seconds:.0f} s left" if seconds < 90 else f"{seconds / 60:.0f} min left")
    return text


def _outcome(state: BuildState, page: str) -> None:
    build, shown_on = st.session_state.get(FOLLOWED, (None, None))
    if build != state.id or shown_on not in (None, page):
        return
    st.session_state[FOLLOWED] = build, page
    if state.state == "failed":
        st.markdown(f":material/error: {failure_text(state)}")
    else:
        st.markdown(CANCELLED if state.state == "cancelled" else ":material/check: The index is up to date.")


def failure_text(state: BuildState) -> str:
    """Why the last build failed. Only administrators see the reason, which may name folders."""
    return f"The last build failed. {plain(state.message) if is_admin() else ''}"


@errors_as_toasts()
def _cancel_build(build: str) -> None:
    """Cancel the build that the page showed, and no other one. Raises NotAllowed."""
    who = require_admin()
    if shared_engine().builds.cancel(build):
        log.info("Cancellation of the build requested by %s.", who)


@errors_as_toasts()
def _stop_reading() -> None:
    """Stop reading what is written in pictures; the next update goes on. Raises NotAllowed."""
    who = require_admin()
    if shared_engine().builds.stop_reading():
        log.info("End of reading text requested by %s.", who)
