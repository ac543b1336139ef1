"""A button above the results that offers new matches, which a newer index or more text has brought."""

import streamlit as st

from boxfind.ui.build_line import poll
from boxfind.ui.error_boundary import polled
from boxfind.ui.search.search_state import search_state
from boxfind.ui.search.settled_results import newer_results, show_newer
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.counted import counted
from retrieval.errors import BoxfindError


def new_matches() -> None:
    """Look for new matches from time to time. page.css lays the button over the results, so that nothing moves."""
    polled(_new_matches, poll(shared_engine()))()


def _new_matches() -> None:
    try:
        count = newer_results(search_state().request, shared_engine().gallery())
    except BoxfindError:  # the page says so when it runs
        return
    if count:
        label = counted(count, "new match", "new matches")
        if st.button(label, type="primary", icon=":material/arrow_upward:", key="show newer"):
            show_newer()
            st.rerun()  # the whole page
