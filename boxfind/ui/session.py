"""Resources shared by all sessions: engine, saved searches, decoded pictures and cached search results."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from boxfind.engine import Engine
from boxfind.logs import log
from boxfind.searches.saved_searches import SavedSearches
from boxfind.settings import BadSetting, Settings
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.thumbnail import thumbnail_of
from index.gallery import Gallery
from retrieval.errors import UnreadableImage
from retrieval.images.decode import decode_image, read_file
from retrieval.printable_names import shown
from retrieval.request import Request
from retrieval.types import Hit, Image

MOST_HITS = 100
"""Number of hits per search; visitors choose how many are shown."""
BY_GENERATION: dict[str | type[Any], Callable[[Any], Any]] = {Gallery: lambda gallery: gallery.folder.name}
"""For `hash_funcs` of a cache: results about a gallery are kept per generation."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A query picture: its display name and the original bytes of its file."""

    name: str
    data: bytes

    @property
    def key(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@st.cache_resource(show_spinner=False)
def shared_engine() -> Engine:
    """The engine of this process; all sessions share its model and index."""
    return Engine(Settings.load())


def require_settings() -> None:
    """Show an error instead of the page if a setting is invalid.

    The message may contain paths: only `local` shows it on the page, everywhere else it is in the log.
    """
    try:
        shared_engine()
    except BadSetting as problem:
        log.error("%s", problem)
        local = os.environ.get("BOXFIND_ADMIN") == "local"
        message = plain(str(problem)) if local else "a setting is invalid; the log of this program says which."
        st.error(f"Boxfind cannot start: {message}", icon=":material/error:")
        st.stop()


@st.cache_resource(show_spinner=False)
def saved_search_store() -> SavedSearches:
    return SavedSearches(shared_engine().settings.searches_file)


@st.cache_resource(max_entries=12, show_spinner="Opening the picture…")
def decoded(key: str, _picture: Picture) -> Image:
    """The pixels of a picture (H, W, 3), read-only and cached. Raises UnreadableImage."""
    image = shared_engine().read_picture(_picture.data, _picture.name)
    image.setflags(write=False)
    return image


def gallery_picture(gallery: Gallery, image: str) -> Image:
    """The pixels of a gallery picture. If its file cannot be opened, says so and returns the thumbnail."""
    try:
        picture = Picture(image, read_file(gallery.file(image)))
        return decoded(picture.key, picture)
    except UnreadableImage:
        st.caption("The file cannot be opened; showing the thumbnail from the index.")
        return decode_image(thumbnail_of(gallery, image))


def stored_picture(key: str, gallery: Gallery, store: SavedSearches) -> Picture:
    """The query picture with this SHA-256, from the saved searches or the gallery. Raises UnreadableImage."""
    data = store.picture(key)
    if data is not None:
        return Picture("Saved picture", data)
    image = gallery.tables.with_contents(key)
    if image is None:
        raise UnreadableImage("gone", "The query picture is no longer available. Choose it again and redraw the box.")
    try:
        found = Picture(image, read_file(gallery.file(image)))
    except UnreadableImage:  # its message may name the folder
        raise UnreadableImage("gone", f"The query picture {shown(image)} cannot be opened.") from None
    if found.key != key:
        raise UnreadableImage("changed", f"The query picture {shown(image)} has changed since this search was made.")
    return found


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs=BY_GENERATION)
def find(request: Request, gallery: Gallery, _images: Mapping[str, Image]) -> tuple[list[Hit], float]:
    """The hits of a request and the seconds they took."""
    began = time.perf_counter()
    hits = shared_engine().answer(gallery, request, _images, MOST_HITS)
    return hits, time.perf_counter() - began
