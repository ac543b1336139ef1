"""Filters of pictures by name, date, shape, size and album, for the Gallery page and for searches."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import streamlit as st

from boxfind.searches.filter_link import (
    FILTER_PARAMETERS,
    LONGEST_TEXT,
    filter_from_params,
    filter_to_params,
)
from boxfind.ui.album_store import album_names, album_of
from boxfind.ui.search.search_state import search_state
from boxfind.ui.session import BY_GENERATION
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.synced_widgets import synced
from index.gallery import Gallery
from index.storage.picture_filter import passing
from retrieval.errors import BoxfindError
from retrieval.request import EVERY_PICTURE, SHAPES, PictureFilter

CHOSEN = "chosen pictures"
"""Session key of the Gallery page's filter, a PictureFilter."""
ADDRESS = "gallery "
"""Start of the names of its parameters in the address of the page."""
SEARCH, GALLERY = "search", "gallery"
"""The two filters, in the keys of their widgets."""
BAR_FIELD = 140
"""Width of a field in the bar of the Gallery page, in pixels; two and a menu fit side by side on a phone."""
FIRST_DAY = date(1900, 1, 1)
MEGAPIXELS = (0, 1, 2, 5, 8, 12, 20)
DATE_HELP = (
    "When the picture was taken, by the camera's clock. If the file has no such date, or was indexed by an earlier "
    "version of Boxfind and not read again since, when the file was last changed."
)
SIZE_HELP = "Width times height, in millions of pixels."

Edit = Callable[[str, object], None]
"""Called with the name of a field of the filter and its new value."""


def filter_fields(gallery: Gallery | None) -> None:
    """The filter of the current search, for its menu of filters, and how many pictures of the gallery pass.

    Without a gallery, for all collections, there is no album to choose and no number.
    """
    only = search_state().request.only
    name_field(only, _edit_search, SEARCH)
    part_fields(only, _edit_search, SEARCH)
    if gallery is not None:
        album_field(only, _edit_search, SEARCH)
    if only.parts:
        if gallery is not None:
            album = album_of(only.album)
            count = _count(gallery, only, album.changed, album.pictures)
            st.caption(f"{count:,} of {counted(gallery.image_count, 'picture')} pass.")
        st.button("Reset these filters", icon=":material/filter_alt_off:", on_click=_reset_search)


def name_field(chosen: PictureFilter, edit: Edit, slot: str) -> None:
    st.text_input(
        "Name or folder",
        chosen.name,
        max_chars=LONGEST_TEXT,
        placeholder="Name or folder",
        icon=":material/search:",
        label_visibility="collapsed",
        **synced(
            f"{slot} name", chosen.name, lambda name: edit("name", name), parse=lambda text: " ".join(text.split())
        ),
    )


def part_fields(chosen: PictureFilter, edit: Edit, slot: str) -> None:
    """The fields for date, shape and size."""
    with st.container(horizontal=True, gap="small"):
        for label, name in (("Taken from", "since"), ("until", "until")):
            _day_field(label, name, getattr(chosen, name), edit, slot)
    st.segmented_control(
        "Shape",
        [shape for shape in SHAPES if shape],
        default=chosen.shape or None,
        format_func=str.capitalize,
        **synced(f"{slot} shape", chosen.shape, lambda shape: edit("shape", shape), parse=lambda shape: shape or ""),
    )
    sizes = sorted({10**6 * size for size in MEGAPIXELS} | {chosen.min_pixels})
    st.selectbox(
        "Size",
        sizes,
        index=sizes.index(chosen.min_pixels),
        format_func=lambda size: f"{size / 1e6:g} megapixels or more" if size else "Any size",
        help=SIZE_HELP,
        **synced(f"{slot} size", chosen.min_pixels, lambda size: edit("min_pixels", size)),
    )


def album_field(chosen: PictureFilter, edit: Edit, slot: str) -> None:
    """Choose an album; hidden if there is none."""
    names = album_names()
    if not names and not chosen.album:
        return
    options = ["", *sorted({*names, chosen.album} - {""}, key=str.casefold)]
    st.selectbox(
        "Album",
        options,
        index=options.index(chosen.album),
        format_func=lambda name: name or "All pictures",
        label_visibility="collapsed" if slot == GALLERY else "visible",
        width=BAR_FIELD if slot == GALLERY else "stretch",
        **synced(f"{slot} album", chosen.album, lambda album: edit("album", album)),
    )


def gallery_filter() -> PictureFilter:
    """The filter of the Gallery page: that of this session, or of the address on the first visit."""
    if CHOSEN not in st.session_state:
        params = {
            name: st.query_params.get_all(ADDRESS + name)
            for name in FILTER_PARAMETERS
            if ADDRESS + name in st.query_params
        }
        try:
            st.session_state[CHOSEN] = filter_from_params(params)
        except BoxfindError:  # the address is untrusted
            st.session_state[CHOSEN] = EVERY_PICTURE
    chosen: PictureFilter = st.session_state[CHOSEN]
    return chosen


def set_gallery_filter(chosen: PictureFilter) -> None:
    """Change the filter of the Gallery page, which shows its first page again."""
    st.session_state.update({CHOSEN: chosen, "gallery page": 1})


def edit_gallery_filter(name: str, value: object) -> None:
    set_gallery_filter(replace(gallery_filter(), **{name: value}))  # type: ignore[arg-type]


def filter_in_address(chosen: PictureFilter) -> None:
    """Put the filter of the Gallery page into its address."""
    params = filter_to_params(chosen)
    for name in FILTER_PARAMETERS:
        key = ADDRESS + name
        if name in params:
            st.query_params[key] = params[name]
        elif key in st.query_params:
            del st.query_params[key]


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=BY_GENERATION)
def _count(gallery: Gallery, chosen: PictureFilter, album_changed: str, _album: frozenset[str]) -> int:
    """The number of images that pass a filter."""
    return int(passing(chosen, gallery.tables, _album).sum())


def _day_field(label: str, name: str, day: date | None, edit: Edit, slot: str) -> None:
    st.date_input(
        label,
        day,
        min_value=FIRST_DAY,
        max_value=max(datetime.now(UTC).date(), day or FIRST_DAY),
        format="YYYY-MM-DD",
        help=DATE_HELP if name == "since" else None,
        width=135,
        **synced(f"{slot} {name}", day, lambda day: edit(name, day)),
    )


def _edit_search(name: str, value: object) -> None:
    state = search_state()
    only = replace(state.request.only, **{name: value})  # type: ignore[arg-type]
    state.set_options(replace(state.request, only=only))


def _reset_search() -> None:
    state = search_state()
    state.set_options(replace(state.request, only=EVERY_PICTURE))
