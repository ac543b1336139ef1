"""Update or rebuild the index: the buttons, what they read, and how the last build ended."""

import time

import streamlit as st

from boxfind.ui.authorization import is_local_admin
from boxfind.ui.build_panel import build_button, failure_text, rebuild_button
from boxfind.ui.session import shared_engine
from boxfind.ui.watch_line import watch_switch
from boxfind.ui.widgets.safe_text import plain
from index.building.cancellation import CANCELLED
from index.building.jobs import BuildState
from index.gallery import Gallery


def update(gallery: Gallery) -> None:
    """Show the buttons, which keep their place during a build, and the state of the build."""
    engine = shared_engine()
    state = engine.builds.state()
    running = state is not None and state.state == "running"
    notice = "" if running else engine.builds.update_notice(gallery)
    with st.container(horizontal=True):
        reads = plain(notice) or "Reads new and changed pictures only."
        icon = ":material/refresh:"
        build_button("Update index", type="primary", icon=icon, help=reads, disabled=running, key="update")
        reads_all = "Reads every picture and analyses the gallery again. This takes as long as the first build."
        rebuild_button(help=reads_all, disabled=running, key="rebuild all")
    if notice:
        st.caption(plain(f"Next update: {notice}"))
    if state is not None:
        _last_build(state)
    if is_local_admin():
        watch_switch()


def _last_build(state: BuildState) -> None:
    if state.state == "running":
        st.caption(f"Started {time.strftime('%H:%M', time.localtime(state.started))}. {plain(state.notice)}")
    elif state.state == "cancelled":
        st.caption(CANCELLED)
    elif state.state == "failed":
        st.error(failure_text(state), icon=":material/error:")
