"""Resources shared by all sessions: engines, saved searches, decoded pictures and cached results."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from boxfind.collection_table import CollectionsProblem, UnknownCollection
from boxfind.connections import limit_connections
from boxfind.engine import Engine
from boxfind.engines import Engines
from boxfind.fair_turns import client_of
from boxfind.search_scope import SearchScope, scope_of
from boxfind.searches.saved_searches import SavedSearches
from boxfind.settings import BadSetting, Settings
from boxfind.ui.error_boundary import sentence_of
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
BY_GENERATION: dict[str | type[Any], Callable[[Any], Any]] = {Gallery: lambda gallery: str(gallery.folder)}
"""For `hash_funcs` of a cache: results about a gallery are kept per collection and generation."""

COLLECTION = "collection"
"""Session key of the name of the collection that this visitor looks at; the first one if there is none."""
EVERYWHERE = "all collections"
"""Session key: whether the Search page searches in all collections."""


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
    size: tuple[int, int] | None = None
    """(width, height) of the original, if `data` is the thumbnail of a gallery picture."""
    note: str = ""
    """Why it is the thumbnail."""

    @property
    def key(self) -> str:
        return self.known_as or hashlib.sha256(self.data).hexdigest()


@st.cache_resource(show_spinner=False)
def shared_engines() -> Engines:
    """The engines of this process; all sessions share their networks and indexes."""
    limit_connections()
    engines = Engines(Settings.load())
    engines.watch()
    return engines


def shared_engine() -> Engine:
    """The engine of the collection that this visitor looks at. Raises CollectionsProblem."""
    try:
        return shared_engines().get(st.session_state.get(COLLECTION, ""))
    except UnknownCollection:  # it has been removed or renamed
        del st.session_state[COLLECTION]
        return shared_engines().get()


def require_settings() -> None:
    """Show an error instead of the page if a setting or the list of collections is invalid."""
    try:
        shared_engine()
    except (BadSetting, CollectionsProblem) as problem:
        st.error(f"Boxfind cannot start: {sentence_of(problem)}", icon=":material/error:")
        st.stop()


def visiting_client() -> str:
    """The client of this session for fair turns: its address, since a visitor can open any number of sessions."""
    return client_of(st.context.ip_address)


def saved_search_store() -> SavedSearches:
    return _saved_searches(shared_engine().settings.searches_file)


@st.cache_resource(show_spinner=False)
def _saved_searches(file: Path) -> SavedSearches:
    return SavedSearches(file)


@st.cache_resource(show_spinner=False)
def decoded_pictures() -> PictureCache:
    return PictureCache()


def decoded(key: str, picture: Picture) -> LoadedImage:
    """The decoded picture, read-only and cached. Raises UnreadableImage."""

    def decode() -> LoadedImage:
        with st.spinner("Opening the picture…"):
            found = shared_engine().visitor_pictures.read(picture.data, picture.name, visiting_client())
        return LoadedImage(found.image, *picture.size) if picture.size else found

    return decoded_pictures().get((key, picture.size), decode)


def gallery_picture(gallery: Gallery, image: str) -> LoadedImage:
    """A gallery picture as it was indexed. If its file cannot be read, says so and returns the thumbnail."""
    entry = gallery.entry(image)
    try:
        return decoded(entry.sha256, Picture(image, read_original(gallery, image)))
    except (PictureGone, UnreadableImage, Busy) as problem:
        st.caption(f"{plain(str(problem))} This is the thumbnail from the index.")
        return LoadedImage(decode_image(thumbnail_of(gallery, image)), entry.width, entry.height)


def picture_of(gallery: Gallery, image: str) -> Picture:
    """A gallery picture as a query picture: the thumbnail, with a note, if its file cannot be read."""
    entry = gallery.entry(image)
    try:
        return Picture(image, read_original(gallery, image), entry.sha256)
    except PictureGone as problem:
        thumbnail = thumbnail_of(gallery, image)
        return Picture(image, thumbnail, entry.sha256, size=(entry.width, entry.height), note=str(problem))


def stored_picture(key: str, gallery: Gallery, store: SavedSearches) -> Picture:
    """The query picture with this SHA-256, from the saved searches, the gallery, or those of another collection.

    Raises UnreadableImage, and SavedSearchesProblem if saved searches cannot be read.
    """
    data = store.picture(key)
    if data is None and (image := gallery.tables.with_contents(key)) is not None:
        return picture_of(gallery, image)
    data = data or next(filter(None, (other.picture(key) for other in _stores_of_all())), None)
    if data is not None:
        return Picture("Saved picture", data)
    for other in shared_engines().galleries():
        image = other.tables.with_contents(key)
        if image is not None:
            return picture_of(other, image)
    raise UnreadableImage("gone", GONE)


def _stores_of_all() -> Iterator[SavedSearches]:
    """The saved searches of all collections."""
    engines = shared_engines()
    return (_saved_searches(engines.of(one).settings.searches_file) for one in engines.collections.all())


def stored_original(key: str, gallery: Gallery, store: SavedSearches) -> Picture:
    """Like `stored_picture`, but never a thumbnail. Raises UnreadableImage."""
    picture = stored_picture(key, gallery, store)
    if picture.size:
        raise UnreadableImage("gone", f"The query picture is no longer available: {picture.note}")
    return picture


def scope_of_request(request: Request, gallery: Gallery) -> SearchScope:
    """What a search for this looks at. Pictures may be read for text meanwhile, which is another thing to look at."""
    uses_text = bool(request.words) or request.ranking == "best"
    return scope_of([gallery], gallery.written_text.revision() if uses_text else 0)


def find(request: Request, gallery: Gallery, images: Mapping[str, LoadedImage]) -> tuple[list[Hit], float]:
    """The hits of a request and the seconds they took, also waiting for a turn. Raises the errors of Engine.answer."""
    album, text = shared_engine().album(request.only.album), scope_of_request(request, gallery).text
    seen = {key: image.image.shape for key, image in images.items()}  # thumbnails, while originals cannot be read
    return _find(request, album.changed, text, seen, gallery, images)


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs=BY_GENERATION)
def _find(
    request: Request,
    album_changed: str,
    text_read: int,
    seen: Mapping[str, tuple[int, ...]],
    gallery: Gallery,
    _images: Mapping[str, LoadedImage],
) -> tuple[list[Hit], float]:
    began = time.perf_counter()
    hits = shared_engine().answer(gallery, request, _images, MOST_HITS, visiting_client())
    return hits, time.perf_counter() - began
