"""Send a gallery picture to the Search page."""

from typing import Literal

import streamlit as st

from boxfind.ui.search.search_state import search_from
from index.gallery import Gallery
from retrieval.types import Box


def send_to_search(image: str, box: Box | Literal["whole"] | None = None) -> None:
    """Make the next page run open the Search page with this picture and box; "whole" selects the whole picture."""
    st.session_state["handed over"] = image, box


def open_sent_image(gallery: Gallery) -> None:
    """Open the Search page if requested and the picture is readable. Callbacks cannot switch pages."""
    image, box = st.session_state.pop("handed over", ("", None))
    if image not in gallery.tables.numbers:
        return
    entry = gallery.entry(image)
    if search_from(gallery, image, Box(0, 0, entry.width, entry.height) if box == "whole" else box):
        st.switch_page(
            "pages/search.py", query_params={}
        )  # query parameters bound to widgets of this page would be rejected
