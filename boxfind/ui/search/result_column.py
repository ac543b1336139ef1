"""Search, and show the results below the bar of their tools."""

from contextlib import nullcontext

import streamlit as st

from boxfind.ui.collection_choice import searches_everywhere
from boxfind.ui.search.export_menu import export_menu
from boxfind.ui.search.new_matches import new_matches
from boxfind.ui.search.result_filter import filter_menu
from boxfind.ui.search.result_status import status
from boxfind.ui.search.results import feedback, show_results
from boxfind.ui.search.results_in_all import results_in_all
from boxfind.ui.search.saved_searches import save_search, saved_search_changes
from boxfind.ui.search.search_history import search_history
from boxfind.ui.search.search_options import ranking_choice
from boxfind.ui.search.search_state import SearchState
from boxfind.ui.search.settled_results import settled_results
from boxfind.ui.served_gallery import failure
from index.gallery import Gallery
from retrieval.errors import BoxfindError


def result_column(state: SearchState, gallery: Gallery) -> None:
    """Answer the request of a search, and show its results. Stops the run if it cannot be answered."""
    if searches_everywhere():
        results_in_all(state, gallery)
        return
    try:
        with st.spinner("Searching…") if state.request.words else nullcontext():
            found = settled_results(state.request, gallery)
    except BoxfindError as error:
        failure(error)
        st.stop()
    hits = found.present(gallery)
    with st.container(key="bar", gap="xsmall"):
        status(gallery, found, hits, saved_search_changes(gallery, hits))
        with st.container(key="tools", horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall"):
            ranking_choice()
            filter_menu(gallery, hits)
            search_history(gallery)
            export_menu(gallery, hits)
            save_search(gallery, hits)
            feedback(gallery)
    news = st.container(key="news")
    show_results(gallery, hits)
    with news:  # last, so that the results do not wait for another search
        new_matches()
