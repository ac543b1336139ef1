"""Resources shared by all sessions: engine, saved searches, decoded pictures and cached search results."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from boxfind.chosen_gallery import keep_choice
from boxfind.connections import limit_connections
from boxfind.engine import Engine
from boxfind.fair_turns import client_of
from boxfind.logs import log
from boxfind.searches.saved_searches import SavedSearches
from boxfind.settings import BadSetting, Settings
from boxfind.ui.picture_cache import PictureCache
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.thumbnail import thumbnail_of
from boxfind.uploads import Upload
from index.gallery import Gallery
from index.operations.read_original import read_original
from retrieval.errors import Busy, PictureGone, UnreadableImage
from retrieval.images.decode import LoadedImage, decode_image
from retrieval.request import Request
from retrieval.types import Hit

MOST_HITS = 100
"""Number of hits per search."""
GONE = "The query picture is no longer available. Choose it again and redraw the box."
BY_GENERATION: dict[str | type[Any], Callable[[Any], Any]] = {Gallery: lambda gallery: gallery.folder.name}
"""For `hash_funcs` of a cache: results about a gallery are kept per generation."""

GIVEN = {"BOXFIND_GALLERY", "BOXFIND_INDEX"}
_set_aside: set[str] = set()
"""Variables that this process was started with, and that a choice on the page has replaced."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A query picture: its display name and the bytes of a picture file."""

    name: str
    data: bytes
    known_as: str = ""
    """What a page or frame of the gallery is known by; it is not the SHA-256 of its bytes."""
    upload: Upload | None = None
    """The visitor's file that holds this and other pictures to choose from."""
    place: str = ""
    """Where in that file the picture is."""

    @property
    def key(self) -> str:
        return self.known_as or hashlib.sha256(self.data).hexdigest()


@st.cache_resource(show_spinner=False)
def shared_engine() -> Engine:
    """The engine of this process; all sessions share its model and index."""
    limit_connections()
    return Engine(Settings.load())


def given_at_start() -> set[str]:
    """The variables, of those for the gallery and its index, that this process was started with."""
    return _set_aside | {name.upper() for name in _given()}


def _given() -> list[str]:
    return [name for name in os.environ if name.upper() in GIVEN and os.environ[name]]


def serve_gallery(folder: Path | None) -> None:
    """Serve another gallery to all sessions; None is the sample gallery. Raises OSError.

    It is served after a restart, too, unless that gives a gallery or an index (`given_at_start`).
    """
    before = shared_engine()
    keep_choice(before.settings.data, folder)
    for name in _given():
        del os.environ[name]  # the index belongs to the gallery that was given with it
        _set_aside.add(name.upper())
    st.cache_data.clear()
    st.cache_resource.clear()
    before.visitor_pictures.retire()  # other visitors may be opening pictures


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


def visiting_client() -> str:
    """The client of this session for fair turns: its address, since a visitor can open any number of sessions."""
    return client_of(st.context.ip_address)


@st.cache_resource(show_spinner=False)
def saved_search_store() -> SavedSearches:
    return SavedSearches(shared_engine().settings.searches_file)


@st.cache_resource(show_spinner=False)
def decoded_pictures() -> PictureCache:
    return PictureCache()


def decoded(key: str, picture: Picture) -> LoadedImage:
    """The decoded picture, read-only and cached. Raises UnreadableImage."""

    def decode() -> LoadedImage:
        with st.spinner("Opening the picture…"):
            return shared_engine().visitor_pictures.read(picture.data, picture.name, visiting_client())

    return decoded_pictures().get(key, decode)


def gallery_picture(gallery: Gallery, image: str) -> LoadedImage:
    """A gallery picture as it was indexed. If its file is gone or has changed, says so and returns the thumbnail."""
    entry = gallery.entry(image)
    try:
        return decoded(entry.sha256, Picture(image, read_original(gallery, image)))
    except (PictureGone, UnreadableImage, Busy) as problem:
        st.caption(f"{plain(str(problem))} This is the thumbnail from the index.")
        return LoadedImage(decode_image(thumbnail_of(gallery, image)), entry.width, entry.height)


def picture_of(gallery: Gallery, image: str) -> Picture:
    """A gallery picture as a query picture. Raises PictureGone."""
    return Picture(image, read_original(gallery, image), gallery.entry(image).sha256)


def stored_picture(key: str, gallery: Gallery, store: SavedSearches) -> Picture:
    """The query picture with this SHA-256, from the saved searches or the gallery. Raises UnreadableImage."""
    data = store.picture(key)
    if data is not None:
        return Picture("Saved picture", data)
    image = gallery.tables.with_contents(key)
    if image is None:
        raise UnreadableImage("gone", GONE)
    try:
        return picture_of(gallery, image)
    except PictureGone as problem:
        raise UnreadableImage("gone", f"The query picture is no longer available: {problem}") from None


def find(request: Request, gallery: Gallery, images: Mapping[str, LoadedImage]) -> tuple[list[Hit], float]:
    """The hits of a request and the seconds they took, also waiting for a turn. Raises the errors of Engine.answer."""
    text_read = (
        gallery.written_text.revision() if request.words or request.ranking == "best" else 0
    )  # pictures may be read meanwhile
    return _find(request, shared_engine().album(request.only.album).changed, text_read, gallery, images)


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs=BY_GENERATION)
def _find(
    request: Request, album_changed: str, text_read: int, gallery: Gallery, _images: Mapping[str, LoadedImage]
) -> tuple[list[Hit], float]:
    began = time.perf_counter()
    hits = shared_engine().answer(gallery, request, _images, MOST_HITS, visiting_client())
    return hits, time.perf_counter() - began
