"""Dialog with one gallery picture: enlarged, with its indexed regions and file facts."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from boxfind.ui.error_boundary import error_boundary
from boxfind.ui.film_player import film, film_switch
from boxfind.ui.gallery.albums import albums_of_picture
from boxfind.ui.gallery_view import gallery_view
from boxfind.ui.original_file import facts, file_menu
from boxfind.ui.place_words import entry_in_words
from boxfind.ui.search.search_state import open_search_page
from boxfind.ui.widgets.picture_dialog import dialog_picture, dialog_requested, dialog_view, search_menu, step_buttons
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.types import Box, Region

NO_REGIONS = "No regions outlined"
BOX, WHOLE = "A box that you draw", "The whole picture"
"""What a search from the dialog can start with."""


def picture_dialog(gallery: Gallery, images: Sequence[str]) -> None:
    """Open the dialog if it was requested. It steps through `images`."""
    if dialog_requested(images):
        _dialog(gallery, images)


@st.dialog("Closer view", width="large")
@error_boundary()
def _dialog(gallery: Gallery, images: Sequence[str]) -> None:
    place = dialog_picture(images, lambda image: entry_in_words(gallery.entry(image)))
    entry = gallery.entry(images[place])
    groups = region_groups(gallery.regions(entry.image), entry.width, entry.height)
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        step_buttons(images, place)
        file_menu(gallery, entry.image)
        start = search_menu([BOX, WHOLE])
        if start:
            open_search_page(gallery, entry.image, entry.whole if start == WHOLE else None)
        chosen = st.selectbox(
            "Indexed regions",
            [NO_REGIONS, *groups],
            key="regions shown",
            label_visibility="collapsed",
            width=190,
        )
        wants_film = film_switch(entry)
    _, shown = gallery_view(gallery, entry.image, entry_in_words(entry))
    # The smallest regions are on top, so that each can be chosen.
    regions = tuple(sorted(groups.get(chosen, ()), key=lambda box: -box.width * box.height))
    if wants_film:
        film(gallery, entry)
    else:
        outlined = replace(shown, outlines=regions, colours=("black",), line=1, choose="Search with region")
        dialog_view(images, place, outlined, on_choose=lambda box: open_search_page(gallery, entry.image, box))
    st.caption(plain(facts(entry)))
    albums_of_picture(gallery, entry.image)


def region_groups(regions: Sequence[Region], width: int, height: int) -> dict[str, list[Box]]:
    """The boxes of a (width, height) picture's regions, grouped by kind, grid level and detector label."""
    groups = defaultdict[str, list[Box]](list)
    for region in regions:
        kind = region.kind
        if kind == "grid":  # the side gives the level, see retrieval/regions/find_regions.py
            kind = f"grid, level {round(2 * min(width, height) / region.box.height) - 1}"
        elif region.label:
            kind = f"{kind}: {region.label}"
        groups[kind].append(region.box)
    return {f"{kind.capitalize()} ({len(boxes)})": boxes for kind, boxes in groups.items()}
