"""The albums that all sessions share, and their changes by administrators."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from boxfind.searches.albums import Album, Albums
from boxfind.ui.authorization import require_admin
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.errors import BoxfindError


def album_store() -> Albums:
    return _albums(shared_engine().settings.searches_file)


@st.cache_resource(show_spinner=False)
def _albums(file: Path) -> Albums:
    return Albums(file)


def album_names() -> list[str]:
    """All names; none while the albums cannot be read, which other parts of the page say."""
    try:
        return album_store().names()
    except BoxfindError:
        return []


def album_of(name: str) -> Album:
    """An album; an empty one if there is none. If it cannot be read, says so."""
    try:
        return shared_engine().album(name)
    except BoxfindError as problem:
        st.caption(plain(str(problem)))
        return Album(name)


def add_to_album(gallery: Gallery, name: str, images: Sequence[str]) -> None:
    """Add images to an album, new or not. Raises NotAllowed, SavedSearchesProblem."""
    require_admin()
    album_store().add(name, contents(gallery, images))
    st.toast(f"Added {counted(len(images), 'picture')} to {plain(name)}.", icon=":material/photo_album:")


def remove_from_album(gallery: Gallery, name: str, images: Sequence[str]) -> None:
    """Remove images from an album. Raises NotAllowed, SavedSearchesProblem."""
    require_admin()
    album_store().remove(name, contents(gallery, images))
    st.toast(f"Removed {counted(len(images), 'picture')} from {plain(name)}.", icon=":material/photo_album:")


def contents(gallery: Gallery, images: Sequence[str]) -> list[str]:
    """The SHA-256 hashes of these images. Images that are no longer in the index are left out."""
    hashes = gallery.tables.images["sha256"].take(gallery.numbers(images))
    found: list[str] = hashes.to_pylist()
    return found
