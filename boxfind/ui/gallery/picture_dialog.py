"""Dialog with one gallery picture: enlarged, with its indexed regions and file facts."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePosixPath

import streamlit as st
from PIL import Image as Pillow
from PIL import ImageDraw

from boxfind.ui.gallery.send_to_search import send_to_search
from boxfind.ui.original_image import ONLY_SMALL, original
from boxfind.ui.widgets.dialog_state import DialogState
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from index.storage.tables import ImageEntry
from retrieval.printable_names import shown
from retrieval.types import Box, Image, Region

ROOM = (1100, 700)
"""Maximum size (width, height) of the displayed picture, in pixels."""
NO_REGIONS = "None"


PICTURE = DialogState("picture")


def picture_dialog(gallery: Gallery, images: Sequence[str]) -> None:
    """Open the dialog if PICTURE requests it. It steps through `images`."""
    if PICTURE.is_due(images):
        _dialog(gallery, images)


@st.dialog("Look closer", width="large")
def _dialog(gallery: Gallery, images: Sequence[str]) -> None:
    image = PICTURE.image
    place = images.index(image) if image in images else 0
    image, entry = images[place], gallery.entry(images[place])
    st.markdown(f"**{place + 1:,} of {len(images):,}** · {plain(shown(image))}")
    _buttons(images, place)
    picture, is_file = original(gallery, image)
    if not is_file:
        st.caption(ONLY_SMALL)
    groups = region_groups(gallery.regions(image), entry.width, entry.height)
    chosen = st.selectbox("Indexed regions", [NO_REGIONS, *groups], key="regions shown", width=260)
    st.image(
        with_outlines(picture, groups.get(chosen, []), entry.width, entry.height),
        output_format="JPEG",
        alt=image,
    )
    st.caption(plain(facts(entry)))


def _buttons(images: Sequence[str], place: int) -> None:
    with st.container(horizontal=True):
        for label, step, key, icon in (("Previous", -1, "Left", "left"), ("Next", 1, "Right", "right")):
            st.button(
                label,
                icon=f":material/chevron_{icon}:",
                shortcut=key,
                disabled=not 0 <= place + step < len(images),
                on_click=PICTURE.step,
                args=[images[(place + step) % len(images)]],
            )
        for label, icon, whole in (
            ("Search with this", "search", False),
            ("Find look-alikes of the whole picture", "image_search", True),
        ):
            if st.button(label, icon=f":material/{icon}:"):
                send_to_search(images[place], "whole" if whole else None)
                st.rerun()


def region_groups(regions: Sequence[Region], width: int, height: int) -> dict[str, list[Box]]:
    """The boxes of a (width, height) picture's regions, grouped by kind, grid level and detector label."""
    groups: dict[str, list[Box]] = {}
    for region in regions:
        kind = region.kind
        if kind == "grid":  # the side gives the level, see retrieval/regions/find_regions.py
            kind = f"grid, level {round(2 * min(width, height) / region.box.height) - 1}"
        elif region.label:
            kind = f"{kind}: {region.label}"
        groups.setdefault(kind, []).append(region.box)
    return {f"{kind.capitalize()} ({len(boxes)})": boxes for kind, boxes in groups.items()}


def with_outlines(picture: Image, boxes: Sequence[Box], width: int, height: int) -> Pillow.Image:
    """A copy no larger than ROOM with thin box outlines. Boxes are in pixels of the (width, height) original."""
    small = Pillow.fromarray(picture)
    small.thumbnail(ROOM, Pillow.Resampling.BICUBIC)
    across, down = small.width / width, small.height / height
    pen = ImageDraw.Draw(small)
    for box in boxes:
        x0, y0 = round(box.x0 * across), round(box.y0 * down)
        x1, y1 = round(box.x1 * across) - 1, round(box.y1 * down) - 1
        pen.rectangle((x0, y0, x1, y1), outline="black", width=3)
        pen.rectangle((x0, y0, x1, y1), outline="white", width=2)
    return small


def facts(entry: ImageEntry) -> str:
    """Size, file size, date and folder at indexing time, on one line."""
    size = f"{entry.bytes / 1e6:.1f} MB" if entry.bytes >= 1e6 else f"{entry.bytes / 1e3:.0f} kB"
    day = datetime.fromtimestamp(entry.mtime).astimezone()
    folder = str(PurePosixPath(entry.image).parent)
    where = "the gallery folder" if folder == "." else f"the folder {folder}"
    return f"{entry.width} x {entry.height} pixels, {size}, modified on {day:%d %B %Y}, in {where}"
