"""Search page: draw a box around an object and see the gallery pictures that show it."""

from contextlib import nullcontext

import streamlit as st

from boxfind.ui.search.box_picker import CANVAS_WIDTH, pick_boxes
from boxfind.ui.search.box_tools import box_buttons, box_coordinates, box_list, suggestions
from boxfind.ui.search.export_menu import export_menu, open_link
from boxfind.ui.search.query_source import query_source
from boxfind.ui.search.results import count_choice, feedback, remarks, show_results, similarity_choice
from boxfind.ui.search.saved_searches import save_search, saved_search_changes, saved_searches
from boxfind.ui.search.search_history import search_history
from boxfind.ui.search.search_options import description_field, folder_choice, padding_choice, ranking_choice
from boxfind.ui.search.search_state import image_of, name_of, search_state
from boxfind.ui.search.shortcuts import shortcuts
from boxfind.ui.served_gallery import failure, ready_gallery
from boxfind.ui.session import find, shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from retrieval.errors import BoxfindError
from retrieval.printable_names import shown
from retrieval.ranking.confidence import no_match

gallery = ready_gallery()
open_link(gallery)
state = search_state()
row = st.container(horizontal=True, gap="large")
query, results = row.container(width=CANVAS_WIDTH + 8), row.container(width="stretch")

with query:
    st.header("Find an object", anchor=False)
    description_field()
    query_source()
    image = None
    if state.shown:
        try:
            image = image_of(state.shown, gallery)
            shared_engine().embedder(gallery.manifest.recipe)  # load the model before the first search
        except BoxfindError as error:
            failure(error)
            st.stop()
        st.caption(f"{plain(shown(name_of(state.shown, gallery)))}, {image.shape[1]} x {image.shape[0]} pixels")
        pick_boxes(image, state)
    elif not state.request.asks:
        results.info("Describe what you are looking for, or choose a picture: your own, or one from the Gallery page.")
        st.stop()

with results:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = st.container(width="stretch")
        ranking_choice()
        count_choice()
        folder_choice(gallery)
    if state.request.asks:
        try:
            images = {example.picture: image_of(example.picture, gallery) for example in state.request.examples}
            with st.spinner("Searching…") if state.request.words else nullcontext():
                hits, seconds = find(state.request, gallery, images)
        except BoxfindError as error:
            failure(error)
            st.stop()
        title.header("Nearest look-alikes" if no_match(hits[:10]) else "Results", anchor=False)
        title.caption(f"Searched {counted(gallery.manifest.counts.images, 'picture')} in {1000 * seconds:.0f} ms")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            search_history(gallery)
            similarity_choice(hits)
            export_menu(gallery, hits)
            save_search(gallery, hits)
        with st.container():  # always present, so that the tiles below keep their position and focus
            saved_search_changes(hits)
            feedback(gallery)
            remarks(hits)
        show_results(gallery, hits)
    else:
        title.header("Results", anchor=False)
        st.info("Drag a box around an object in the picture.")

with query:  # last, so that the results do not wait for it
    if image is not None:
        box_buttons(image)
        box_list(gallery)
        padding_choice()
        suggestions(image)
        box_coordinates(image)
    shortcuts()
with st.sidebar:
    saved_searches(gallery)
