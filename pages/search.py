"""Draw a box round an object; see the ten gallery pictures that hold it."""

import time

import streamlit as st

from retrieval.errors import BoxfindError
from ui.box_picker import pick_box
from ui.index_sidebar import failure, ready_gallery
from ui.query_source import query_source
from ui.result_grid import result_grid
from ui.session import decoded, find

gallery = ready_gallery()
query, results = st.columns([9, 11], gap="large")

with query:
    st.header("Find an object", anchor=False)
    picture = query_source()
    if picture is None:
        results.info("Choose a picture to search with: upload one, or pick one on the Gallery page.")
        st.stop()
    try:
        image = decoded(picture.key, picture)
    except BoxfindError as error:
        failure(error)
        st.stop()
    box = pick_box(picture.key, image)

with results:
    if box is None:
        st.header("Results", anchor=False)
        st.info("Draw a box round an object in the picture: press the mouse button, pull, let go.")
        st.stop()
    try:
        began = time.perf_counter()
        edges = (box.x0, box.y0, box.x1, box.y1)
        hits = find(gallery.folder.name, picture.key, edges, 10, gallery, image)
        took = time.perf_counter() - began
    except BoxfindError as error:
        failure(error)
        st.stop()
    st.header(f"The {len(hits)} best", anchor=False)
    st.caption(f"of {gallery.manifest.counts.images:,} pictures, in {1000 * took:.0f} ms")
    result_grid(gallery, hits)
