"""Whether the gallery folder is watched: a line in the sidebar, and a switch for a local administrator."""

import contextlib

import streamlit as st

from boxfind.folder_watch import WatchStatus
from boxfind.logs import log
from boxfind.ui.authorization import is_admin, require_local_admin
from boxfind.ui.error_boundary import errors_as_toasts, polled
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.picture_dialog import dialog_may_be_open
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.errors import IndexProblem

POLL = "10s"
"""How often an open page looks whether something has changed."""


def watch_line(gallery: Gallery) -> None:
    """Show what the watcher of the folder does, and run the page again when it has updated the index.

    It does not while a dialog may be open, which would close.
    """
    engine = shared_engine()
    status = engine.watcher.status
    if status.kind != "off":
        polled(_follow, POLL)(gallery.folder.name, status.kind == "updating")
    elif not engine.settings.is_sample and is_admin():
        st.caption("Watching is off")


def watch_switch() -> None:
    """A button that ends the watching of the folder, or begins it again, until the program ends."""
    engine = shared_engine()
    if engine.settings.is_sample:
        return
    is_off = engine.watcher.status.kind == "off"
    label = "Watch the folder" if is_off else "Stop watching the folder"
    icon = ":material/visibility:" if is_off else ":material/visibility_off:"
    st.button(label, icon=icon, type="tertiary", on_click=_switch, args=[is_off], key="watch")


def watch_sentence(status: WatchStatus, for_admin: bool) -> str:
    """What the watcher does, in a sentence. Administrators see the reasons."""
    changes = f"{counted(status.changes, 'change')} noticed"
    reason = f" {status.message}" if for_admin and status.message else ""
    match status.kind:
        case "off":
            return "Watching is off"
        case "watching":
            return "Comparing the folder regularly" if status.why_compared else "Watching the folder for changes"
        case "noticed":
            return f"{changes}, updating soon"
        case "updating":
            return "Taking in what has changed"
        case "away":
            return f"The folder is away; it is watched again when it is back{'.' if reason else ''}{reason}"
        case "paused":
            return f"The update failed and is tried again later.{reason}"
        case "held":
            return f"{changes}; an administrator can update the index.{reason}"


def _follow(generation: str, was_updating: bool) -> None:
    engine, for_admin = shared_engine(), is_admin()
    status = engine.watcher.status
    if not dialog_may_be_open():
        with contextlib.suppress(IndexProblem):
            if engine.gallery().folder.name != generation:
                st.rerun()  # with the new pictures
        if status.kind == "updating" and not was_updating:
            st.rerun()  # with the line of the build
    why = plain(status.why_compared) if for_admin and status.why_compared else None
    st.caption(plain(watch_sentence(status, for_admin)), help=why)


@errors_as_toasts()
def _switch(on: bool) -> None:
    """Raises NotAllowed."""
    who = require_local_admin()
    log.info("Watching of the gallery folder turned %s by %s.", "on" if on else "off", who)
    watcher = shared_engine().watcher
    if on:
        watcher.start()
    else:
        watcher.stop()
