"""Sidebar: the gallery and the facts of its index."""

import streamlit as st

from boxfind.ui.index_facts import index_facts, skipped_button
from boxfind.ui.session import shared_engine
from retrieval.errors import IndexProblem


def index_sidebar() -> None:
    """Show the gallery and its index. Without an index the page says all there is to say."""
    try:
        gallery = shared_engine().gallery()
    except IndexProblem:
        return
    st.subheader("Gallery")
    index_facts(gallery)
    skipped_button(gallery)
