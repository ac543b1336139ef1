"""On a narrow page: go to the results of a new search, and keep the query in sight above them."""

from pathlib import Path

import streamlit as st

from boxfind.ui.search.search_state import SearchState
from boxfind.ui.widgets.media_address import data_url
from boxfind.ui.widgets.thumbnail import COLOURS
from retrieval.images.decode import LoadedImage
from retrieval.images.resize import thumbnail

HERE = Path(__file__).parent
WIDGETS = HERE.parent / "widgets"
STRIP = st.components.v2.component(
    "boxfind_query_strip",
    html='<button type="button"><svg aria-hidden="true"></svg><span></span></button>',
    css=(HERE / "query_strip.css").read_text(encoding="utf-8"),
    js="\n".join(script.read_text(encoding="utf-8") for script in (HERE / "query_strip.js", WIDGETS / "svg.js")),
)
HEIGHT = 96


def query_strip(state: SearchState, image: LoadedImage | None) -> None:
    """Show the query as a button that leads back to the picture. page.css hides it on a wide page."""
    request = state.request
    width, height = image.size if image else (0, 0)
    with st.container(key="strip"):
        STRIP(
            key="query strip",
            data={
                # While boxes are added, the page stays where the visitor draws.
                "search": "" if state.several else str(hash((request.examples, request.words))),
                "picture": _small(state.shown, image) if image else "",
                "size": (width, height),
                "boxes": [box.xywh for box in state.boxes],
                "colours": COLOURS,
                "text": request.words or "Your picture",
            },
        )


@st.cache_data(max_entries=64, show_spinner=False)
def _small(key: str, _image: LoadedImage) -> str:
    return data_url(thumbnail(_image.image, side=HEIGHT))
