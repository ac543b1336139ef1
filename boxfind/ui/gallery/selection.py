"""Select pictures of the gallery, and export the selected or all shown ones."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from boxfind.export.formats import PICTURE_FORMATS, file_name
from boxfind.export.picture_list import PictureList
from boxfind.ui.originals_download import originals_download
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.tile_grid import Action
from index.gallery import Gallery

SELECT = Action("select", "Select", "check_circle", "a", toggle=True)
SELECTED = "selected pictures"
"""Session key: a frozenset of image ids, which stay selected on other pages of the gallery."""
MOST_EXPORTED = 2000
"""Pictures in one export, at most: a contact sheet is about 15 kB a picture."""


def selected(gallery: Gallery) -> list[str]:
    """The selected images, by name. Those that a newer index lacks are left out."""
    return sorted(image for image in _selected() if image in gallery.tables.numbers)


def toggle(image: str) -> None:
    st.session_state[SELECTED] = _selected() ^ {image}


def select(images: Sequence[str]) -> None:
    st.session_state[SELECTED] = _selected() | frozenset(images)


def clear_selection() -> None:
    st.session_state[SELECTED] = frozenset()


def export_pictures(gallery: Gallery, images: Sequence[str], title: str) -> None:
    """A menu that exports images. Files are built on download."""
    menu = st.popover("Export", icon=":material/download:", on_change="rerun", key="export pictures")
    if not menu.open:
        return
    pictures = PictureList(title, tuple(images[:MOST_EXPORTED]), gallery)
    with menu:
        rest = "" if len(images) <= MOST_EXPORTED else f" the first {MOST_EXPORTED:,} of"
        st.caption(f"Exports{rest} {counted(len(images), 'picture')}.")
        for name, kind in PICTURE_FORMATS.items():
            st.download_button(
                name,
                partial(kind.write, pictures),
                file_name(title, kind.suffix),
                kind.mime,
                key=f"export pictures {name}",
                help=kind.help,
                icon=":material/download:",
                on_click="ignore",
                disabled=not images,
                width="stretch",
            )
        originals_download(gallery, pictures.images, title)


def _selected() -> frozenset[str]:
    found: frozenset[str] = st.session_state.get(SELECTED, frozenset())
    return found
