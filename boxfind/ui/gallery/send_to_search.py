"""From a picture of the gallery to a search with it."""

from typing import Literal

import streamlit as st

from boxfind.ui.search.search_state import search_from
from index.gallery import Gallery
from retrieval.types import Box


def send_to_search(image: str, box: Box | Literal["whole"] | None = None) -> None:
    """Has the next run of the page go to the search with a picture, and with that box on it, or one round all of it."""
    st.session_state["handed over"] = image, box


def open_sent_image(gallery: Gallery) -> None:
    """Goes there, when that was asked for and the picture can be opened. A callback could not: it knows no pages."""
    image, box = st.session_state.pop("handed over", ("", None))
    if image not in gallery.tables.numbers:
        return
    entry = gallery.entry(image)
    if search_from(gallery, image, Box(0, 0, entry.width, entry.height) if box == "whole" else box):
        st.switch_page("pages/search.py", query_params={})  # without, those that are bound to widgets are refused
