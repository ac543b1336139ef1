"""Browse gallery pictures as tiles, by folder, sort order and page."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from boxfind.ui.search.search_state import open_search_page
from boxfind.ui.served_gallery import folders
from boxfind.ui.session import BY_GENERATION
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.paging import page_of
from boxfind.ui.widgets.picture_dialog import request_dialog
from boxfind.ui.widgets.thumbnail import thumbnail_of
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from index.gallery import Gallery
from index.storage.tables import Tables
from retrieval.types import Box, Numbers

PER_PAGE = 40
ORDERS: dict[str, Callable[[Tables], Numbers]] = {
    "By name": lambda tables: np.arange(len(tables.ids)),
    "Newest first": lambda tables: _descending(tables.images["mtime"].to_numpy()),
    "Largest first": lambda tables: _descending(
        tables.images["width"].to_numpy().astype(np.int64) * tables.images["height"].to_numpy()
    ),
}
"""Sort orders: tables -> image numbers (N,). Ties are sorted by name."""
ACTIONS = (
    Action("open", "Closer view", "zoom_in"),
    Action("object", "Search with this", "search", "s"),
    Action("whole", "Find look-alikes of the whole picture", "image_search", "w"),
)


def browse(gallery: Gallery) -> list[str]:
    """Show one page of pictures with folder and order choices. Returns all matching ids in the chosen order."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        summary = st.container(width="stretch")
        below = folders(gallery)
        folder = _choice("Folder", ["", *below], "gallery folder") if below else ""
        order = _choice("Order", list(ORDERS), "gallery order")
    images = _pictures_in(gallery, folder, order)
    total = counted(gallery.image_count, "picture")
    with summary:
        st.caption(f"{len(images):,} of {total}" if folder else total)
        page = page_of(images, PER_PAGE, "gallery page", bind="query-params")
    picture_grid(gallery, [picture_tile(gallery, image) for image in page], "gallery")
    return images


def picture_tile(gallery: Gallery, image: str) -> Tile:
    entry = gallery.entry(image)
    return Tile(image, thumbnail_of(gallery, image), (entry.width, entry.height), alt=image, title=image)


def picture_grid(gallery: Gallery, tiles: Sequence[Tile], key: str, label: str = "Pictures of the gallery") -> None:
    """Show pictures that can be opened or searched with; the box to search for is the outlined one."""
    boxes = {tile.name: tile.outlines[0] for tile in tiles if tile.outlines}

    def pick(action: str, image: str) -> None:
        if action == "open":
            request_dialog(image)
        else:
            open_search_page(gallery, image, whole_box(gallery, image) if action == "whole" else boxes.get(image))

    tile_grid(tiles, ACTIONS, pick, key, min_width=150, label=label)


def whole_box(gallery: Gallery, image: str) -> Box:
    entry = gallery.entry(image)
    return Box(0, 0, entry.width, entry.height)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=BY_GENERATION)
def _pictures_in(gallery: Gallery, folder: str, order: str) -> list[str]:
    """The ids of the images below a folder ("" for all), sorted by one of the ORDERS."""
    tables, start = gallery.tables, f"{folder}/" if folder else ""
    return [image for number in ORDERS[order](tables) if (image := tables.ids[number]).startswith(start)]


def _choice(label: str, options: list[str], key: str) -> str:
    return st.selectbox(
        label,
        options,
        format_func=lambda option: option or "All folders",
        key=key,
        bind="query-params",
        on_change=st.session_state.update,
        args=[{"gallery page": 1}],
        width=200,
    )


def _descending(values: Numbers) -> Numbers:
    return np.argsort(-values, kind="stable")
