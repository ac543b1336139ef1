"""Search, and show the results below the bar of their tools."""

from contextlib import nullcontext

import streamlit as st

from boxfind.ui.search.export_menu import export_menu
from boxfind.ui.search.result_filter import filter_menu
from boxfind.ui.search.result_order import matches_first
from boxfind.ui.search.results import feedback, show_results, status
from boxfind.ui.search.saved_searches import save_search, saved_search_changes
from boxfind.ui.search.search_history import search_history
from boxfind.ui.search.search_options import ranking_choice
from boxfind.ui.search.search_state import SearchState, image_of
from boxfind.ui.served_gallery import failure
from boxfind.ui.session import find
from index.gallery import Gallery
from retrieval.errors import BoxfindError


def result_column(state: SearchState, gallery: Gallery) -> None:
    """Answer the request of a search, and show its results. Stops the run if it cannot be answered."""
    try:
        images = {example.picture: image_of(example.picture, gallery) for example in state.request.examples}
        with st.spinner("Searching…") if state.request.words else nullcontext():
            found, seconds = find(state.request, gallery, images)
    except BoxfindError as error:
        failure(error)
        st.stop()
    hits = matches_first(found)
    with st.container(key="bar", gap="xsmall"):
        status(gallery, hits, seconds, saved_search_changes(gallery, hits))
        with st.container(key="tools", horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall"):
            ranking_choice()
            filter_menu(gallery, hits)
            search_history(gallery)
            export_menu(gallery, hits)
            save_search(gallery, hits)
            feedback(gallery)
    show_results(gallery, hits)
