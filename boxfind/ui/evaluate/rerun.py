"""Rerun saved searches to rate them, and pack them as an evaluation data set."""

import time
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from boxfind.engine import Engine
from boxfind.evaluation.dataset_zip import dataset_zip
from boxfind.evaluation.ratings import Judged, Rating, Ratings, question, rate_all, rating
from boxfind.searches.query_thumbnail import jpeg_in_full_size
from boxfind.searches.saved_searches import SavedSearches
from boxfind.ui.session import Picture, saved_search_store, shared_engine
from index.gallery import Gallery
from retrieval.errors import UnreadableImage
from retrieval.images.decode import read_file
from retrieval.printable_names import shown

SPINNER_DELAY = 0.5
"""Seconds before progress is shown; cached ratings take less."""


def ratings(gallery: Gallery, searches: Sequence[Judged], rankings: Sequence[str]) -> Ratings:
    """Rate each search with each ranking, showing progress. Raises IndexProblem, WeightsMissing, RuntimeMissing."""
    began, slot = time.monotonic(), st.empty()

    def progress(stage: str, done: int, total: int) -> None:
        if time.monotonic() - began > SPINNER_DELAY:
            slot.progress(done / total, f"{stage}: {done} of {total}")

    found = rate_all(
        searches, rankings, lambda search, ranking: _rating(gallery.folder.name, search, ranking, gallery), progress
    )
    slot.empty()
    return found


def packing(gallery: Gallery, searches: Sequence[Judged]) -> Callable[[], bytes]:
    """A function that builds the ZIP on download. It runs outside a page, so it gets engine and store up front."""
    return partial(
        dataset_zip, searches, partial(_jpeg, gallery=gallery, engine=shared_engine(), kept=saved_search_store())
    )


@st.cache_data(max_entries=4096, show_spinner=False)
def _rating(generation: str, search: Judged, ranking: str, _gallery: Gallery) -> Rating:
    """Rate a search; cached per generation, search and ranking. Raises UnreadableImage, BadBox."""
    engine, images = shared_engine(), {}
    for key in {example.picture for example in search.request.examples}:
        picture = _picture(key, _gallery, saved_search_store())
        images[key] = engine.read_picture(picture.data, picture.name)
    hits = engine.answer(_gallery, question(search, ranking), images, 0)
    return rating(search, [hit.image for hit in hits])


def _picture(key: str, gallery: Gallery, kept: SavedSearches) -> Picture:
    """The picture of a saved search, from the saved searches or the gallery. Raises UnreadableImage."""
    data = kept.picture(key)
    if data is not None:
        return Picture("The query picture", data)
    image = gallery.tables.with_contents(key)
    if image is None:
        raise UnreadableImage("gone", "The query picture is no longer in the gallery.")
    try:
        found = Picture(image, read_file(gallery.file(image)))
    except UnreadableImage:  # its message may name the folder
        raise UnreadableImage("gone", f"The query picture {shown(image)} cannot be opened.") from None
    if found.key != key:
        raise UnreadableImage("changed", f"The query picture {shown(image)} has changed since the search was saved.")
    return found


def _jpeg(key: str, gallery: Gallery, engine: Engine, kept: SavedSearches) -> bytes:
    """The query picture as an upright JPEG without metadata. Raises UnreadableImage."""
    data = kept.picture(key)
    if data is not None:
        return data
    picture = _picture(key, gallery, kept)
    return jpeg_in_full_size(engine.read_picture(picture.data, picture.name))
