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
from boxfind.ui.session import BY_GENERATION, saved_search_store, shared_engine, stored_original, visiting_client
from index.gallery import Gallery
from retrieval.images.limits import LIMITS

SPINNER_DELAY = 0.5
"""Seconds before progress is shown; cached ratings take less."""


def ratings(gallery: Gallery, searches: Sequence[Judged], rankings: Sequence[str]) -> Ratings:
    """Rate each search with each ranking, showing progress.

    Raises IndexProblem, WeightsMissing, RuntimeMissing, Busy.
    """
    began, bar = time.monotonic(), st.empty()

    def progress(stage: str, done: int, total: int) -> None:
        if time.monotonic() - began > SPINNER_DELAY:
            bar.progress(done / total, f"{stage}: {done} of {total}")

    found = rate_all(searches, rankings, lambda search, ranking: _rating(gallery, search, ranking), progress)
    bar.empty()
    return found


def packing(gallery: Gallery, searches: Sequence[Judged]) -> Callable[[], bytes]:
    """A function that builds the ZIP on download. It runs outside a page, so it gets engine and store up front."""
    jpeg = partial(_jpeg, gallery=gallery, engine=shared_engine(), store=saved_search_store())
    return partial(dataset_zip, searches, jpeg)


@st.cache_data(max_entries=4096, show_spinner=False, hash_funcs=BY_GENERATION)
def _rating(gallery: Gallery, search: Judged, ranking: str) -> Rating:
    """Rate a search. Raises UnreadableImage, BadBox, Busy."""
    engine, client, images = shared_engine(), visiting_client(), {}
    for key in {example.picture for example in search.request.examples}:
        picture = stored_original(key, gallery, saved_search_store())
        images[key] = engine.visitor_pictures.read(picture.data, picture.name, client)
    hits = engine.answer(gallery, question(search, ranking), images, 0, client, note_finds=False)
    return rating(search, [hit.image for hit in hits])


def _jpeg(key: str, gallery: Gallery, engine: Engine, store: SavedSearches) -> bytes:
    """The query picture as an upright JPEG without metadata. Raises UnreadableImage."""
    stored = store.picture(key)
    if stored is not None:
        return stored
    picture = stored_original(key, gallery, store)
    return jpeg_in_full_size(engine.visitor_pictures.read(picture.data, picture.name, pixels=LIMITS.pixels).image)
