"""Saved searches whose results need more marks, each with a button that opens it for marking."""

from collections.abc import Mapping

import streamlit as st

from boxfind.ui.authorization import is_admin
from boxfind.ui.search.saved_searches import open_saved_search
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain

OPEN = 5
"""The list is open if it has at most this many searches."""
LISTED = 20
"""Searches in the list, at most."""


def needed_marks(unmarked: Mapping[str, str]) -> None:
    """List the searches that need marks, with what is missing; show nothing if there are none."""
    if not unmarked:
        return
    searches = counted(len(unmarked), "saved search needs", "saved searches need")
    with st.expander(f"{searches} more marks", expanded=len(unmarked) <= OPEN, icon=":material/thumbs_up_down:"):
        if not is_admin():
            st.caption("Administrators can mark more results.")
        for name, missing in list(unmarked.items())[:LISTED]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{plain(name)}**  \n{plain(missing)}", width="stretch")
                if is_admin():
                    st.button("Open and mark", key=f"mark {name}", on_click=open_saved_search, args=[name])
        if len(unmarked) > LISTED:
            st.caption(f"And {len(unmarked) - LISTED} more.")
