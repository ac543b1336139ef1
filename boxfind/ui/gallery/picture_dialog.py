"""Dialog with one gallery picture: enlarged, with its indexed regions and file facts."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePosixPath

import streamlit as st

from boxfind.ui.gallery.browse import ACTIONS, whole_box
from boxfind.ui.search.search_state import open_search_page
from boxfind.ui.session import gallery_picture
from boxfind.ui.widgets.picture_dialog import dialog_picture, dialog_requested, step_buttons
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.thumbnail import outlined
from index.gallery import Gallery
from index.storage.tables import ImageEntry
from retrieval.types import Box, Region

ROOM = (1100, 700)
"""Maximum size (width, height) of the displayed picture, in pixels."""
NO_REGIONS = "None"


def picture_dialog(gallery: Gallery, images: Sequence[str]) -> None:
    """Open the dialog if it was requested. It steps through `images`."""
    if dialog_requested(images):
        _dialog(gallery, images)


@st.dialog("Closer view", width="large")
def _dialog(gallery: Gallery, images: Sequence[str]) -> None:
    place = dialog_picture(images)
    entry = gallery.entry(images[place])
    with st.container(horizontal=True):
        step_buttons(images, place)
        for action, box in zip(ACTIONS[1:], (None, whole_box(gallery, entry.image)), strict=True):
            if st.button(action.label, icon=f":material/{action.icon}:"):
                open_search_page(gallery, entry.image, box)
    picture = gallery_picture(gallery, entry.image)
    groups = region_groups(gallery.regions(entry.image), entry.width, entry.height)
    chosen = st.selectbox("Indexed regions", [NO_REGIONS, *groups], key="regions shown", width=260)
    boxes = groups.get(chosen, [])
    st.image(outlined(picture, boxes, entry.width, ROOM, ("black",), line=1), alt=entry.image)
    st.caption(plain(facts(entry)))


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


def facts(entry: ImageEntry) -> str:
    """Size, file size, date and folder at indexing time, on one line."""
    size = f"{entry.bytes / 1e6:.1f} MB" if entry.bytes >= 1e6 else f"{entry.bytes / 1e3:.0f} kB"
    day = datetime.fromtimestamp(entry.mtime).astimezone()
    folder = str(PurePosixPath(entry.image).parent)
    where = "the gallery folder" if folder == "." else f"the folder {folder}"
    return f"{entry.width} x {entry.height} pixels, {size}, modified on {day:%d %B %Y}, in {where}"
