"""A build as visitors see it: how far it is, how it ended, and for administrators the ways to start and cancel it."""

import time
from collections.abc import Callable

import streamlit as st

from boxfind.engine import Engine
from boxfind.logs import log
from boxfind.ui.authorization import is_admin, require_admin
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.safe_text import plain
from index.building.jobs import CANCELLED, BuildState
from retrieval.errors import BoxfindError, IndexProblem


def build_panel() -> None:
    """For the sidebar."""
    state = shared_engine().build_state()
    running = state is not None and state.state == "running"
    st.fragment(_progress, run_every="1s" if running else None)(running)
    if running or not is_admin():
        return
    with st.container(gap="xxsmall"):
        _said_beforehand(shared_engine())
        _build_button("Update index", ":material/refresh:", "Looks at new and changed pictures only.")
        _build_button(
            "Build everything anew",
            ":material/restart_alt:",
            "Looks at every picture again and learns what is typical of this gallery anew. It takes as long as the "
            "first build did.",
            full=True,
        )


def start_build(full: bool = False) -> None:
    """Has the index built. Raises NotAllowed, and IndexProblem when the folder cannot be written to.

    The first build of the sample gallery is anyone's: it is small, and there is nothing to lose.
    """
    engine = shared_engine()
    who = "the first visitor" if nothing_to_lose(engine) else require_admin()
    log.info("%s, asked for by %s.", "Full build" if full else "Build", who)
    engine.start_build(full)


def cancel_build() -> None:
    """Has the running build end. Raises NotAllowed."""
    log.info("Build cancelled by %s.", require_admin())
    shared_engine().cancel_build()


def may_start(engine: Engine) -> bool:
    """Whether `start_build` would let this visitor."""
    return nothing_to_lose(engine) or is_admin()


def nothing_to_lose(engine: Engine) -> bool:
    """Whether no gallery is configured and there is no index yet."""
    if not engine.settings.is_sample:
        return False
    try:
        engine.gallery()
    except IndexProblem:
        return True
    return False


def rebuild_button(label: str = "Rebuild the index") -> None:
    """For the middle of a page, where an index cannot be used."""
    st.button(label, type="primary", on_click=_or_toast, args=[start_build])


def first_build(engine: Engine) -> None:
    """The page while there is nothing to search yet."""
    st.title("One moment")
    if engine.settings.is_sample:
        st.markdown(
            "No gallery is configured, so a **sample gallery** is being drawn and indexed. For your own pictures start "
            "the program with `boxfind app --gallery /path/to/pictures`."
        )
    else:
        st.markdown("Your gallery is being indexed. You can close this page and come back.")

    @st.fragment(run_every="1s")
    def follow() -> None:
        state = engine.build_state()
        if state is None or state.state != "running":
            st.rerun()
        _running(state)

    follow()


def _said_beforehand(engine: Engine) -> None:
    """Why an update would take as long as the first build did."""
    gallery = engine.gallery()
    changes = engine.recipe_changes(gallery)
    if changes:
        count = gallery.manifest.counts.images
        st.caption(plain(f"An update reads all {count:,} pictures again: {'; '.join(changes)}."))


def _build_button(label: str, icon: str, help: str, full: bool = False) -> None:
    st.button(label, icon=icon, help=help, type="tertiary", on_click=_or_toast, args=[start_build, full])


def _progress(was_running: bool) -> None:
    state = shared_engine().build_state()
    if state is None:
        return
    if state.state == "running":
        _running(state)
    elif state.state == "cancelled":
        st.caption(CANCELLED)
    elif state.state == "failed":
        reason = plain(state.message) if is_admin() else ""  # it may name folders
        st.error(f"The last build did not finish. {reason}", icon=":material/error:")
    if was_running and state.state != "running":
        st.rerun()  # the whole page: it moves to the new generation


def _running(state: BuildState) -> None:
    st.progress(_share(state), text=_words(state))
    if state.notice:
        st.caption(plain(state.notice))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Since {time.strftime('%H:%M', time.localtime(state.started))}, process {state.pid}")
        if is_admin():
            st.button("Cancel", type="tertiary", on_click=_or_toast, args=[cancel_build], key="cancel build")


def _or_toast(action: Callable[..., None], *given: object) -> None:
    """An action behind a button; what stands in its way is told to the visitor."""
    try:
        action(*given)
    except BoxfindError as error:
        st.toast(plain(str(error)), icon=":material/block:")


def _share(state: BuildState) -> float:
    return min(state.done / state.total, 1.0) if state.total else 0.0


def _words(state: BuildState) -> str:
    """ "Reading pictures: 1,200 of 2,000, 31 a second, 26 s left"."""
    words = plain(state.stage)
    if state.total:
        words += f": {state.done:,} of {state.total:,}"
    if state.total and state.rate and state.seconds_left is not None:
        left = state.seconds_left
        words += f", {state.rate:.0f} a second, " + (f"{left:.0f} s left" if left < 90 else f"{left / 60:.0f} min left")
    return words
