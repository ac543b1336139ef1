"""Follow a running build in a line at the bottom of every page, where administrators can cancel it."""

import contextlib
import time

import streamlit as st

from boxfind.engine import Engine
from boxfind.logs import log
from boxfind.search_scope import scope_of
from boxfind.time_left import LONG, in_words
from boxfind.ui.authorization import is_admin, require_admin
from boxfind.ui.build_panel import failure_text, has_index, running_build
from boxfind.ui.error_boundary import errors_as_toasts, polled
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.picture_dialog import dialog_may_be_open
from boxfind.ui.widgets.safe_text import plain
from index.building.cancellation import CANCELLED
from index.building.jobs import BuildState
from index.building.read_text import TextProgress
from retrieval.errors import IndexProblem

POLL, IDLE = "3s", "30s"
"""How often an open page looks at a running build, and whether another program has started one."""
STARTS_READING = 10.0
"""Seconds after a build in which the reading of text starts."""
FOLLOWED = "followed build"
"""The session key of the build that this visit saw running, and of the page that shows its outcome, if any does."""


def build_line(page: str) -> None:
    """Show a running build, or the reading of text after it, and on the same page the outcome of the build.

    `page` is the address of the page above the line.
    The outcome takes the place of the progress until the visitor opens another page, so that nothing moves by itself.
    """
    engine = shared_engine()
    running, searchable = running_build(engine) is not None, has_index(engine)
    with st.bottom if searchable else st.container():  # where it moves nothing
        polled(_follow, poll(engine))(running, searchable, page)


def poll(engine: Engine) -> str:
    """How often an open page looks whether there is something new."""
    return POLL if running_build(engine) is not None or _may_read(engine) else IDLE


def searching(engine: Engine) -> str:
    """What is searched while the index is not complete; empty if it is, or if there is none."""
    with contextlib.suppress(IndexProblem):
        return scope_of([engine.gallery()]).sentence(engine.builds.state())
    return ""


def _follow(was_running: bool, had_index: bool, page: str) -> None:
    """Show what goes on. The page runs again when there is a first index to search, and when a build has ended.

    It does not while a dialog may be open, which would close.
    """
    engine = shared_engine()
    state, running = engine.builds.state(), running_build(engine)
    if not had_index and has_index(engine) and not dialog_may_be_open():
        st.rerun()
    if running is not None:
        st.session_state[FOLLOWED] = running.id, None
        _progress(running)
        return
    if was_running:
        with contextlib.suppress(IndexProblem):
            engine.gallery(newest=True)
        if not dialog_may_be_open():
            st.rerun()  # rerun the whole page to serve the new generation
    progress, stopped = _reading(engine), searching(engine)
    if progress is not None:
        _reading_progress(progress)
    elif state is not None:
        _outcome(state, page, stopped)


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
        st.progress(min(state.done / state.total, 1.0) if state.total else 0.0, text=_progress_text(state))
        if is_admin() and not state.cancelling:
            st.button("Cancel", type="tertiary", on_click=_cancel_build, args=[state.id], key="cancel build")


def _progress_text(state: BuildState) -> str:
    """What is searched, if the index is not complete, or else what the build does."""
    sentence = "" if state.cancelling else searching(shared_engine())
    if sentence and state.stage not in LONG:
        return f"{sentence} · {plain(state.stage)}"
    return sentence or progress_text(state)


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
            text += f", {rate}, {in_words(seconds)}"
    return text


def _outcome(state: BuildState, page: str, stopped: str) -> None:
    """How a build ended, if this visit saw it. `stopped`: what is searched, if it has left the index incomplete."""
    if stopped:
        st.markdown(f":material/hourglass_disabled: {stopped}")
    build, shown_on = st.session_state.get(FOLLOWED, (None, None))
    if build != state.id or shown_on not in (None, page):
        return
    st.session_state[FOLLOWED] = build, page
    if state.state == "failed":
        st.markdown(f":material/error: {failure_text(state)}")
    elif not stopped:
        st.markdown(CANCELLED if state.state == "cancelled" else ":material/check: The index is up to date.")


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
