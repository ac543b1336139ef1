"""Build progress and result; for administrators, the buttons that start and cancel a build."""

import contextlib
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
    """Show the state of the build in the sidebar, with the build buttons for administrators."""
    state = shared_engine().build_state()
    running = state is not None and state.state == "running"
    st.fragment(_progress, run_every="1s" if running else None)(running)
    if running or not is_admin():
        return
    with st.container(gap="xxsmall"):
        _warn_of_full_update(shared_engine())
        _build_button("Update index", ":material/refresh:", "Reads new and changed pictures only.")
        _build_button(
            "Rebuild index",
            ":material/restart_alt:",
            "Reads every picture and analyses the gallery again. This takes as long as the first build.",
            full=True,
        )


def start_build(full: bool = False) -> None:
    """Start a build. Raises NotAllowed, and IndexProblem when the index folder is not writable.

    Anyone may start the first build of the sample gallery: it is small and replaces nothing.
    """
    engine = shared_engine()
    who = "the first visitor" if nothing_to_lose(engine) else require_admin()
    log.info("%s requested by %s.", "Full build" if full else "Build", who)
    engine.start_build(full)


def cancel_build() -> None:
    """Cancel the running build. Raises NotAllowed."""
    log.info("Build cancelled by %s.", require_admin())
    shared_engine().cancel_build()


def may_start(engine: Engine) -> bool:
    """Whether this visitor may start a build."""
    return nothing_to_lose(engine) or is_admin()


def nothing_to_lose(engine: Engine) -> bool:
    """Whether the sample gallery is served and has no index yet."""
    if not engine.settings.is_sample:
        return False
    try:
        engine.gallery()
    except IndexProblem:
        return True
    return False


def rebuild_button(label: str = "Rebuild the index") -> None:
    """A build button for the main area, shown when the index is unusable."""
    st.button(label, type="primary", on_click=_or_toast, args=[start_build])


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

    @st.fragment(run_every="1s")
    def follow() -> None:
        state = engine.build_state()
        if state is None or state.state != "running":
            st.rerun()
        _running(state)

    follow()


def _warn_of_full_update(engine: Engine) -> None:
    """Say why the next update will read every picture again, if it will."""
    gallery = engine.gallery()
    changes = engine.recipe_changes(gallery)
    if changes:
        count = gallery.manifest.counts.images
        pictures = "the picture" if count == 1 else f"all {count:,} pictures"
        st.caption(plain(f"The next update reads {pictures} again: {'; '.join(changes)}."))


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
        reason = plain(state.message) if is_admin() else ""  # the message may name folders
        st.error(f"The last build failed. {reason}", icon=":material/error:")
    if was_running and state.state != "running":
        with contextlib.suppress(IndexProblem):
            shared_engine().gallery(newest=True)
        st.rerun()  # rerun the whole page to serve the new generation


def _running(state: BuildState) -> None:
    st.progress(_share(state), text=_words(state))
    if state.notice:
        st.caption(plain(state.notice))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Started {time.strftime('%H:%M', time.localtime(state.started))}")
        if is_admin():
            st.button("Cancel", type="tertiary", on_click=_or_toast, args=[cancel_build], key="cancel build")


def _or_toast(action: Callable[..., None], *given: object) -> None:
    """Run a button's action; show its error as a toast."""
    try:
        action(*given)
    except BoxfindError as error:
        st.toast(plain(str(error)), icon=":material/block:")


def _share(state: BuildState) -> float:
    return min(state.done / state.total, 1.0) if state.total else 0.0


def _words(state: BuildState) -> str:
    """The stage, and its progress such as "1,200 of 2,000, 31 a second, 26 s left"."""
    words = plain(state.stage)
    if state.total:
        words += f": {state.done:,} of {state.total:,}"
    if state.total and state.rate and state.seconds_left is not None:
        left = state.seconds_left
        words += f", {state.rate:.0f} a second, " + (f"{left:.0f} s left" if left < 90 else f"{left / 60:.0f} min left")
    return words
