"""Search history of the session: a Back button and a list of all searches."""

import streamlit as st

from boxfind.ui.search.search_state import SearchState, image_of, name_of, search_state
from boxfind.ui.widgets.thumbnail import grey
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from index.gallery import Gallery
from retrieval.errors import UnreadableImage
from retrieval.images.decode import decode_image
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
        disabled=state.before is None,
        on_click=_back,
        help="Restores the previous search with its boxes and feedback.",
    )
    if len(state.steps) > 1:
        history = st.popover(
            f"{len(state.steps)} searches", icon=":material/history:", on_change="rerun", key="history"
        )
        if history.open:
            with history:
                _history(gallery, state)


def title_of(request: Request, gallery: Gallery) -> str:
    """A short title: picture name, words, number of boxes and number of marks."""
    pictures = [shown(name_of(example.picture, gallery)) for example in request.examples[:1]]
    name = ": ".join([*pictures, *([f"“{request.words}”"] if request.words else [])])
    more = f", {len(request.examples)} boxes" if len(request.examples) > 1 else ""
    marks = len(request.positives) + len(request.negatives)
    return name + more + (f", {marks} marked" if marks else "")


def _history(gallery: Gallery, state: SearchState) -> None:
    latest = list(enumerate(state.steps))[-LISTED:][::-1]
    tiles = []
    for number, step in latest:
        title = title_of(step.request, gallery)
        picture = _crop(gallery, step.request)
        size = (picture.shape[1], picture.shape[0])
        alt = f"Search {number + 1}: {title}"
        tiles.append(Tile(str(number), thumbnail(picture, 200), size, alt, f"{number + 1}  {title}"))
    actions = [Action("again", "Search for this again", "history")]
    tile_grid(tiles, actions, lambda _, number: state.go_to(int(number)), "history grid", 110, "Search history")


def _crop(gallery: Gallery, request: Request) -> Image:
    """The crop of the first wanted box; grey without boxes or if the picture is no longer available."""
    try:
        asked = request.wanted[0]
        return crop_image(image_of(asked.picture, gallery), asked.box)
    except (UnreadableImage, IndexError):
        return decode_image(grey())


def _back() -> None:
    state = search_state()
    if state.before is not None:
        state.go_to(state.before)
