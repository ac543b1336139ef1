"""Search history of the session: a Back button and a list of all searches."""

import streamlit as st

from boxfind.ui.search.search_state import SearchState, image_of, name_of, search_state
from boxfind.ui.widgets.thumbnail import PLACEHOLDER
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from index.gallery import Gallery
from retrieval.errors import UnreadableImage
from retrieval.images.resize import crop_image, thumbnail
from retrieval.printable_names import shown
from retrieval.request import Request
from retrieval.types import Image

LISTED = 30


def search_history(gallery: Gallery) -> None:
    """Show the Back button, and the list once there are two searches."""
    state = search_state()
    st.button(
        "Back",
        icon=":material/arrow_back:",
        shortcut="B",
        disabled=state.previous is None,
        on_click=state.go_back,
        help="Restores the previous search with its boxes and feedback.",
    )
    if len(state.steps) > 1:
        label = f"{len(state.steps)} searches"
        history = st.popover(label, icon=":material/history:", on_change="rerun", key="history")
        if history.open:
            with history:
                _history(gallery, state)


def title_of(request: Request, gallery: Gallery) -> str:
    """A short title: picture name, words, number of boxes and number of marks."""
    pictures = [shown(name_of(example.picture, gallery)) for example in request.examples[:1]]
    name = ": ".join([*pictures, *([f"“{request.words}”"] if request.words else [])])
    boxes = f", {len(request.examples)} boxes" if len(request.examples) > 1 else ""
    marks = len(request.positives) + len(request.negatives)
    return name + boxes + (f", {marks} marked" if marks else "")


def _history(gallery: Gallery, state: SearchState) -> None:
    tiles = []
    for number, step in reversed(list(enumerate(state.steps, start=1))[-LISTED:]):
        title = title_of(step.request, gallery)
        crop = _crop(gallery, step.request)
        size = (crop.shape[1], crop.shape[0])
        tiles.append(Tile(str(number), thumbnail(crop, 200), size, f"Search {number}: {title}", f"{number}  {title}"))
    actions = [Action("again", "Search for this again", "history")]
    tile_grid(tiles, actions, lambda _, number: state.go_to(int(number) - 1), "history grid", 110, "Search history")


def _crop(gallery: Gallery, request: Request) -> Image:
    """The crop of the first required box; a placeholder without boxes or if the picture is no longer available."""
    for example in request.wanted[:1]:
        try:
            return crop_image(image_of(example.picture, gallery), example.box)
        except UnreadableImage:
            break
    return PLACEHOLDER
