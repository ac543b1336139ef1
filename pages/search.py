"""Draw a box round an object; see the ten gallery pictures that hold it."""

import streamlit as st

from retrieval.confidence import NO_MATCH, no_match
from retrieval.errors import BoxfindError
from retrieval.images import shown
from ui.box_picker import CANVAS_WIDTH, pick_box
from ui.query_source import query_source
from ui.ranking_choice import ranking_choice
from ui.result_grid import result_grid
from ui.served_gallery import failure, ready_gallery
from ui.session import decoded, find, shared_engine
from ui.text import plain

gallery = ready_gallery()
row = st.container(horizontal=True, gap="large")
query, results = row.container(width=CANVAS_WIDTH + 8), row.container(width="stretch")

with query:
    st.header("Find an object", anchor=False)
    picture = query_source()
    if picture is None:
        results.info("Choose a picture to search with: upload one, or take one on the Gallery page.")
        st.stop()
    try:
        image = decoded(picture.key, picture)
        shared_engine().embedder(gallery.manifest.recipe)  # now, so that the first search need not wait for it
    except BoxfindError as error:
        failure(error)
        st.stop()
    st.caption(f"{plain(shown(picture.name))}, {image.shape[1]} x {image.shape[0]} pixels")
    box = pick_box(picture.key, image)

with results:
    if box is None:
        st.header("Results", anchor=False)
        st.info("Draw a box round an object in the picture: press the mouse button, pull, let go.")
        st.stop()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = st.container(width="stretch")
        ranking = ranking_choice()
    try:
        hits, seconds = find(gallery.folder.name, picture.key, box, ranking, 10, gallery, image)
    except BoxfindError as error:
        failure(error)
        st.stop()
    title.header("Nearest look-alikes" if no_match(hits) else f"The {len(hits)} best", anchor=False)
    st.caption(f"of {gallery.manifest.counts.images:,} pictures, found in {1000 * seconds:.0f} ms")
    if no_match(hits):
        st.info(NO_MATCH, icon=":material/search_off:")
    result_grid(gallery, hits)
