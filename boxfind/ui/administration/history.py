"""The kept generations of the index, and the way back to one of them."""

import streamlit as st

from boxfind.logs import log
from boxfind.maintenance import roll_back
from boxfind.ui.administration.page_progress import page_progress
from boxfind.ui.authorization import require_admin
from boxfind.ui.build_panel import running_build
from boxfind.ui.error_boundary import error_boundary
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.picture_dialog import dialog_opens
from boxfind.ui.widgets.safe_text import plain
from index.operations.history import StoredGeneration, stored_generations
from index.storage.disk_space import file_size
from retrieval.errors import BoxfindError

CHOSEN_GENERATION, SERVED_AGAIN = "chosen generation", "served again"
"""Session keys: the generation to serve next, and the message about the one that is served again."""


def history() -> None:
    """List the generations, newest first, with a button to serve an earlier one again."""
    engine = shared_engine()
    st.markdown("Boxfind keeps the index from before the last build. If an update went wrong, go back to it.")
    if chosen := st.session_state.pop(CHOSEN_GENERATION, None):
        _serve(chosen)
    running = running_build(engine) is not None
    for number, generation in enumerate(reversed(stored_generations(engine.settings.index_dir))):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(_sentence(generation), width="stretch")
            if generation.served:
                st.badge("In use", icon=":material/check:", color="green")
            elif not generation.problem and st.button("Use this one", key=f"use {number}", disabled=running):
                _ask(generation)
    if message := st.session_state.pop(SERVED_AGAIN, ""):
        st.success(message, icon=":material/check:")


def _sentence(generation: StoredGeneration) -> str:
    size = file_size(generation.bytes)
    if generation.created is None or generation.problem:
        return f"{plain(generation.name)}, {size}: {plain(generation.problem)}"
    built = generation.created.astimezone()
    pictures = counted(generation.images, "picture")
    if generation.found:
        pictures = f"{generation.images:,} of {counted(generation.found, 'picture')}, not finished"
    return f"**{built:%d %B %Y, %H:%M}**: {pictures}, {size}"


@st.dialog("Use this index?")
@error_boundary()
def _ask(generation: StoredGeneration) -> None:
    dialog_opens()
    st.markdown(
        f"{_sentence(generation)}. Its files are checked first. Pictures that came later are not found until the next "
        "update. The current index is kept, so you can come back to it."
    )
    with st.container(horizontal=True):
        choose = {CHOSEN_GENERATION: generation}
        start = st.button("Check and use it", type="primary", on_click=st.session_state.update, args=[choose])
        if st.button("Cancel") or start:
            st.rerun()  # closes the dialog


def _serve(generation: StoredGeneration) -> None:
    """Roll back and rerun the page, or show why it was not possible."""
    engine = shared_engine()
    try:
        log.info("Roll-back to %s requested by %s.", generation.name, require_admin())
        roll_back(engine.settings, generation.name, page_progress("Checking the index"))
        engine.gallery(newest=True)
    except BoxfindError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.session_state[SERVED_AGAIN] = f"In use again: {_sentence(generation)}."
    st.rerun()
