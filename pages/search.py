"""Search page: draw a box around an object and see the gallery pictures that show it. page.css places its parts."""

from contextlib import nullcontext

import streamlit as st

from boxfind.ui.search.address import search_in_address
from boxfind.ui.search.box_picker import pick_boxes, picture_title
from boxfind.ui.search.box_tools import box_buttons, box_coordinates, box_list
from boxfind.ui.search.export_menu import export_menu
from boxfind.ui.search.query_place import place_chooser
from boxfind.ui.search.query_source import query_source
from boxfind.ui.search.query_strip import query_strip
from boxfind.ui.search.result_filter import filter_menu
from boxfind.ui.search.result_order import matches_first
from boxfind.ui.search.results import feedback, show_results, status
from boxfind.ui.search.saved_searches import save_search, saved_menu, saved_search_changes
from boxfind.ui.search.search_history import search_history
from boxfind.ui.search.search_options import description_field, ranking_choice
from boxfind.ui.search.search_state import image_of, search_state
from boxfind.ui.search.shortcuts import shortcuts
from boxfind.ui.served_gallery import failure, ready_gallery
from boxfind.ui.session import find, shared_engine
from retrieval.errors import BoxfindError

CHOOSE = "Choose a picture: your own, or one from the Gallery page."
DESCRIBE_OR_CHOOSE = "Describe what you are looking for, or choose a picture: your own, or one from the Gallery page."


def search_page() -> None:
    """A function, so that no picture of the last run stays in memory."""
    gallery = ready_gallery()
    state = search_state()
    with st.container(key="title"):  # for screen readers
        st.header("Find an object", anchor=False)
    with st.container(key="ask", horizontal=True, vertical_alignment="bottom", gap="small"):
        description_field(gallery)
        query_source()
        saved_menu()
    row = st.container(key="search" if state.shown else "words")
    query, results = row.container(key="query-column", gap="small"), row.container(key="result-column", gap="small")

    image = None
    with query:
        if state.shown:
            try:
                image = image_of(state.shown, gallery)
                picture_title(image, state, gallery)
                place_chooser(state)
                pick_boxes(image, state)
                shared_engine().embedder(gallery.manifest.recipe)  # load the model before the first search
            except BoxfindError as error:
                failure(error)
                st.stop()
        elif not state.request.asks:
            results.info(CHOOSE if shared_engine().text_problem(gallery) else DESCRIBE_OR_CHOOSE)
            st.stop()

    with results:
        if state.request.asks:
            query_strip(state, image)
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
        else:
            ranking_choice()
            st.info("The results appear here.")

    with query:  # last, so that the results do not wait for it
        if image is not None:
            box_buttons(image, gallery)
            box_list(gallery)
            box_coordinates(image)
    with query if image is not None else results:
        shortcuts()


with search_in_address():
    search_page()
