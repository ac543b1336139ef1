"""List of the searches of this session."""

from contextlib import suppress

import streamlit as st

from boxfind.ui.search.search_state import LISTED, SearchState, image_of, name_of, search_state
from boxfind.ui.widgets.thumbnail import PLACEHOLDER
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.images.resize import thumbnail
from retrieval.printable_names import shown
from retrieval.request import Example, Request


def search_history(gallery: Gallery) -> None:
    """Show the list once there are two searches. Back of the browser opens the previous one."""
    state = search_state()
    if len(state.steps) < 2:
        return
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
    for number, request in reversed(list(enumerate(state.steps, start=1))[-LISTED:]):
        title, picture, size = title_of(request, gallery), thumbnail(PLACEHOLDER), (320, 240)
        for example in request.wanted[:1]:
            with suppress(BoxfindError):  # its picture is no longer available
                picture = state.crops[example] = state.crops.get(example) or _crop(gallery, example)
                size = (example.box.width, example.box.height)
        tiles.append(Tile(str(number), picture, size, f"Search {number}: {title}", f"{number}  {title}"))
    actions = [Action("again", "Search for this again", "history")]
    tile_grid(tiles, actions, lambda _, number: _go_to(state, int(number)), "history grid", 110, "Search history")


def _go_to(state: SearchState, number: int) -> None:
    """Open a search of the list, and close the list."""
    state.open(state.steps[number - 1])
    st.session_state["history"] = False


def _crop(gallery: Gallery, example: Example) -> bytes:
    """A thumbnail JPEG of a box. Raises BoxfindError."""
    return thumbnail(image_of(example.picture, gallery).crop(example.box), 200)
