"""Browse gallery pictures as tiles, by filter, sort order and page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import streamlit as st

from boxfind.ui.album_store import album_of
from boxfind.ui.authorization import is_admin
from boxfind.ui.gallery.albums import add_menu, album_menu, remove_button
from boxfind.ui.gallery.selection import SELECT, clear_selection, export_pictures, select, selected, toggle
from boxfind.ui.original_file import DOWNLOAD, download_requested, request_download
from boxfind.ui.place_words import entry_in_words
from boxfind.ui.search.picture_filters import (
    BAR_FIELD,
    GALLERY,
    album_field,
    edit_gallery_filter,
    filter_in_address,
    gallery_filter,
    name_field,
    part_fields,
    set_gallery_filter,
)
from boxfind.ui.search.search_state import open_search_page, search_state
from boxfind.ui.served_gallery import folders
from boxfind.ui.session import BY_GENERATION
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.paging import page_of
from boxfind.ui.widgets.picture_dialog import request_dialog
from boxfind.ui.widgets.thumbnail import thumbnail_of
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from index.gallery import Gallery
from index.storage.picture_filter import dates, passing
from index.storage.tables import Tables
from retrieval.request import EVERY_PICTURE, PictureFilter
from retrieval.types import Numbers

PER_PAGE = 40
ORDERS: dict[str, Callable[[Tables], Numbers]] = {
    "By name": lambda tables: np.arange(len(tables.ids)),
    "Newest first": lambda tables: _descending(dates(tables).astype(np.int64)),
    "Largest first": lambda tables: _descending(
        tables.images["width"].to_numpy().astype(np.int64) * tables.images["height"].to_numpy()
    ),
}
"""Sort orders: tables -> image numbers (N,). Ties are sorted by name."""
ACTIONS = (
    Action("open", "Closer view", "zoom_in"),
    Action("object", "Search with this", "search", "s"),
    Action("whole", "Find look-alikes of the whole picture", "image_search", "w"),
    DOWNLOAD,
)
NO_MORE: Mapping[Action, Callable[[str], None]] = {}


def browse(gallery: Gallery) -> list[str]:
    """Show one page of the pictures that pass the filter. Returns the ids of all of them in the chosen order."""
    chosen = gallery_filter()
    with st.container(key="gallery-bar", horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        name_field(chosen, edit_gallery_filter, GALLERY)
        folder = _filter_menu(gallery, chosen)
        album_field(chosen, edit_gallery_filter, GALLERY)
        order = _choice("Order", list(ORDERS), "gallery order", BAR_FIELD)
        if chosen.album and is_admin():
            album_menu(chosen.album)
    filter_in_address(chosen)
    album = album_of(chosen.album)
    images = _pictures_in(gallery, folder, order, chosen, album.changed, album.pictures)
    marked = selected(gallery)
    _selection_bar(gallery, images, marked, chosen.album or folder)
    page = page_of(images, PER_PAGE, "gallery page", bind="query-params")
    pressed = dict.fromkeys(marked, (SELECT.name,))
    tiles = [replace(picture_tile(gallery, image), pressed=pressed.get(image, ())) for image in page]
    picture_grid(gallery, tiles, "gallery", more={SELECT: toggle})
    return images


def _filter_menu(gallery: Gallery, chosen: PictureFilter) -> str:
    """The menu of filters, with their number in its label. Returns the chosen folder."""
    active = replace(chosen, name="", album="").parts + bool(_folder())
    with st.popover(f"Filter ({active})" if active else "Filter", icon=":material/filter_alt:", key="gallery filter"):
        below = folders(gallery)
        folder = _choice("Folder", ["", *below], "gallery folder", "stretch") if below else ""
        part_fields(chosen, edit_gallery_filter, GALLERY)
        with st.container(horizontal=True):
            st.button("Reset", icon=":material/filter_alt_off:", on_click=_reset, disabled=not (active or chosen.parts))
            if st.button(
                "Search in these", icon=":material/search:", help="Search only pictures that pass this filter"
            ):
                state = search_state()
                state.set_options(replace(state.request, only=chosen, folder=folder))
                st.toast("Searches look at these pictures only. The Filter menu of the results changes this.")
                st.switch_page("pages/search.py", query_params={})
    return folder


def _folder() -> str:
    """The chosen folder, also before the field for it is shown."""
    return str(st.session_state.get("gallery folder", st.query_params.get("gallery folder", "")))


def _reset() -> None:
    set_gallery_filter(EVERY_PICTURE)
    st.session_state["gallery folder"] = ""


def _selection_bar(gallery: Gallery, images: list[str], marked: list[str], title: str) -> None:
    """What is shown or selected, and what can be done with it. It has the same height with and without a selection."""
    album = gallery_filter().album
    with st.container(key="selection", horizontal=True, vertical_alignment="center", gap="xsmall"):
        if marked:
            label = f"{len(marked):,} selected"
            st.button(label, icon=":material/close:", type="tertiary", help="Clear selection", on_click=clear_selection)
        else:
            total = counted(gallery.image_count, "picture")
            st.caption(total if len(images) == gallery.image_count else f"{len(images):,} of {total}", width="content")
        st.button("Select all", icon=":material/select_all:", on_click=select, args=[images], disabled=not images)
        export_pictures(gallery, marked or images, title or "Pictures")
        if is_admin():
            add_menu(gallery, marked)
            if album:
                remove_button(gallery, album, marked)


def picture_tile(gallery: Gallery, image: str) -> Tile:
    entry = gallery.entry(image)
    name = entry_in_words(entry)
    return Tile(image, thumbnail_of(gallery, image), (entry.width, entry.height), alt=name, title=name)


def picture_grid(
    gallery: Gallery,
    tiles: Sequence[Tile],
    key: str,
    label: str = "Pictures of the gallery",
    more: Mapping[Action, Callable[[str], None]] = NO_MORE,
) -> None:
    """Show pictures that can be opened or searched with; the box to search for is the outlined one.

    `more`: further actions, each with a function of the picture's id.
    """
    boxes = {tile.name: tile.outlines[0] for tile in tiles if tile.outlines}
    further = {action.name: run for action, run in more.items()}

    def pick(action: str, image: str) -> None:
        if action in further:
            further[action](image)
        elif action == "open":
            request_dialog(image)
        elif action == DOWNLOAD.name:
            request_download(image)
        else:
            open_search_page(gallery, image, gallery.entry(image).whole if action == "whole" else boxes.get(image))

    tile_grid(tiles, (*ACTIONS, *more), pick, key, min_width=150, label=label)
    download_requested(gallery)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=BY_GENERATION)
def _pictures_in(
    gallery: Gallery, folder: str, order: str, chosen: PictureFilter, album_changed: str, _album: frozenset[str]
) -> list[str]:
    """The ids of the images below a folder ("" for all) that pass a filter, sorted by one of the ORDERS."""
    tables, start = gallery.tables, f"{folder}/" if folder else ""
    mask, numbers = passing(chosen, tables, _album), ORDERS[order](tables)
    return [image for number in numbers[mask[numbers]] if (image := tables.ids[number]).startswith(start)]


def _choice(label: str, options: list[str], key: str, width: int | Literal["stretch"]) -> str:
    return st.selectbox(
        label,
        options,
        format_func=lambda option: option or "All folders",
        key=key,
        bind="query-params",
        on_change=st.session_state.update,
        args=[{"gallery page": 1}],
        label_visibility="visible" if width == "stretch" else "collapsed",
        width=width,
    )


def _descending(values: Numbers) -> Numbers:
    return np.argsort(-values, kind="stable")
