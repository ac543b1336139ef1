"""Check the index, and explain why a picture is or is not found."""

import streamlit as st

from boxfind.logs import log
from boxfind.maintenance import Check, check_index, explain_picture
from boxfind.ui.administration.page_progress import page_progress
from boxfind.ui.authorization import is_local_admin, require_admin
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.safe_text import plain
from retrieval.errors import BoxfindError

CHECKED = "index check"
"""The session key of the result of the last check."""


def check() -> None:
    """Show the button that checks the index, and the result of the last check."""
    st.markdown("Reads all files of the index, and compares it with the picture folder. Searching goes on meanwhile.")
    if st.button("Check the index", icon=":material/fact_check:", key="check"):
        try:
            st.session_state[CHECKED] = _checked()
        except BoxfindError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
    found: Check | None = st.session_state.get(CHECKED)
    if found is None:
        return
    if found.faults:
        st.warning("\n".join(f"- {plain(fault)}" for fault in found.faults), icon=":material/warning:")
    else:
        st.success("No problems found.", icon=":material/check:")
    for remark in found.remarks:
        st.caption(plain(remark))


def explain() -> None:
    """Ask for a picture, and say why it is or is not found."""
    hint = "Its name, or its path below the gallery folder"
    asked = st.text_input("Picture", placeholder=hint, max_chars=1000, key="explain").strip()
    if not asked:
        return
    try:
        sentences = _explained(asked)
    except BoxfindError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.markdown("  \n".join(map(plain, sentences)))


def _checked() -> Check:
    """Raises NotAllowed, IndexProblem."""
    log.info("Check of the index requested by %s.", require_admin())
    return check_index(shared_engine().settings, page_progress("Checking the index"))


def _explained(asked: str) -> list[str]:
    """Only someone at this machine may ask about files outside the gallery. Raises NotAllowed, IndexProblem."""
    require_admin()
    with st.spinner("Looking for the picture…"):
        return explain_picture(shared_engine().settings, asked, outside=is_local_admin()).sentences
