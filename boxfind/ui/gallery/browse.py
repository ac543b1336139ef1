"""Browse gallery pictures as tiles, by folder, sort order and page."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from boxfind.ui.gallery.picture_dialog import PICTURE
from boxfind.ui.gallery.send_to_search import send_to_search
from boxfind.ui.served_gallery import folders
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.thumbnail import thumbnail_of
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from index.gallery import Gallery
from index.storage.tables import Tables
from retrieval.types import Numbers

PER_PAGE = 40
ORDERS: dict[str, Callable[[Tables], Numbers]] = {
    "By name": lambda catalogue: np.arange(len(catalogue.ids)),
    "Newest first": lambda catalogue: _descending(catalogue.images["mtime"].to_numpy()),
    "Largest first": lambda catalogue: _descending(
        catalogue.images["width"].to_numpy().astype(np.int64) * catalogue.images["height"].to_numpy()
    ),
}
"""Sort orders: tables -> image numbers (N,). Ties are sorted by name."""
ACTIONS = (
    Action("look", "Look closer", "zoom_in"),
    Action("object", "Search with this", "search", "s"),
    Action("whole", "Find look-alikes of the whole picture", "image_search", "w"),
)


def browse(gallery: Gallery) -> list[str]:
    """Show one page of pictures with folder and order choices. Returns all matching ids in the chosen order."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        summary = st.container(width="stretch")
        folder = _folder_choice(gallery)
        order = _choice("Order", list(ORDERS), "gallery order")
    images = pictures_in(gallery.folder.name, folder, order, gallery.tables)
    total = counted(gallery.image_count, "picture")
    summary.caption(f"{len(images):,} of {total}" if folder else total)
    pages = -(-len(images) // PER_PAGE)
    number = summary.pagination(pages, key="gallery page", bind="query-params") if pages > 1 else 1
    picture_grid(gallery, images[(number - 1) * PER_PAGE : number * PER_PAGE], "gallery")
    return images


@st.cache_data(max_entries=64, show_spinner=False)
def pictures_in(generation: str, folder: str, order: str, _tables: Tables) -> list[str]:
    """The ids of the images below a folder ("" for all), sorted by one of the ORDERS."""
    start = f"{folder}/" if folder else ""
    return [image for number in ORDERS[order](_tables) if (image := _tables.ids[number]).startswith(start)]


def picture_grid(gallery: Gallery, images: Sequence[str], key: str, label: str = "Pictures of the gallery") -> None:
    """Show pictures as tiles that can be opened or searched with."""
    tiles = [_tile(gallery, image) for image in images]
    tile_grid(tiles, ACTIONS, _picked, key, min_width=150, label=label)


def _tile(gallery: Gallery, image: str) -> Tile:
    entry = gallery.entry(image)
    return Tile(image, thumbnail_of(gallery, image), (entry.width, entry.height), alt=image, title=image)


def _picked(action: str, image: str) -> None:
    if action == "look":
        PICTURE.open(image)
    else:
        send_to_search(image, "whole" if action == "whole" else None)


def _folder_choice(gallery: Gallery) -> str:
    """Choose a folder; hidden if the gallery has no subfolders."""
    below = folders(gallery)
    if not below:
        return ""
    return _choice("Folder", ["", *below], "gallery folder", lambda folder: folder or "All folders")


def _choice(label: str, options: list[str], key: str, named: Callable[[str], str] = str) -> str:
    return st.selectbox(
        label, options, format_func=named, key=key, bind="query-params", on_change=_to_first_page, width=200
    )


def _to_first_page() -> None:
    st.session_state["gallery page"] = 1


def _descending(values: Numbers) -> Numbers:
    return np.argsort(-values, kind="stable")
