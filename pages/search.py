"""Search page: draw a box around an object and see the gallery pictures that show it. page.css places its parts."""

import streamlit as st

from boxfind.ui.search.address import search_in_address
from boxfind.ui.search.box_picker import pick_boxes, picture_title
from boxfind.ui.search.box_tools import box_buttons, box_coordinates, box_list
from boxfind.ui.search.query_place import place_chooser
from boxfind.ui.search.query_source import query_source
from boxfind.ui.search.query_strip import query_strip
from boxfind.ui.search.result_column import result_column
from boxfind.ui.search.saved_searches import saved_menu
from boxfind.ui.search.search_options import description_field, ranking_choice
from boxfind.ui.search.search_state import SearchState, image_of, search_state
from boxfind.ui.search.shortcuts import shortcuts
from boxfind.ui.served_gallery import failure, ready_gallery
from boxfind.ui.session import shared_engine
from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.images.decode import LoadedImage

CHOOSE = "Choose a picture: your own, or one from the Gallery page."
DESCRIBE_OR_CHOOSE = "Describe what you are looking for, or choose a picture: your own, or one from the Gallery page."


def search_page() -> None:
    """A function, so that no picture of the last run stays in memory."""
    gallery = ready_gallery()
    state = search_state()
    state.follow_names(gallery.folder.name, gallery.tables)
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
            image = shown_picture(state, gallery)
        elif not state.request.asks:
            results.info(CHOOSE if shared_engine().networks.text_problem(gallery) else DESCRIBE_OR_CHOOSE)
            st.stop()
    with results:
        if state.request.asks:
            query_strip(state, image)
            result_column(state, gallery)
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


def shown_picture(state: SearchState, gallery: Gallery) -> LoadedImage:
    """Show the query picture, to draw boxes on, and return it. Load the network before the first search."""
    try:
        image = image_of(state.shown, gallery)
        picture_title(image, state, gallery)
        place_chooser(state)
        pick_boxes(image, state)
        shared_engine().networks.embedder(gallery.manifest.recipe)
    except BoxfindError as error:
        failure(error)
        st.stop()
    return image


with search_in_address():
    search_page()
