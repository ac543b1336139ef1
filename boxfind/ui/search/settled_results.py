"""Keep the results that a visitor looks at, while newer generations and more text come, until they are asked for."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import streamlit as st

from boxfind.search_scope import SearchScope
from boxfind.ui.search.result_filter import shown_of
from boxfind.ui.search.result_order import is_match, matches_first
from boxfind.ui.search.search_state import image_of
from boxfind.ui.session import find, scope_of_request, shared_engine
from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.request import Request
from retrieval.types import Hit

SETTLED = "settled results"
"""The session key of the results."""
TEXT_EVERY = 30.0
"""Seconds between two answers of the same search because more text has been read."""


@dataclass(frozen=True, slots=True)
class Found:
    """The hits of a request, matches first, and what they were found in."""

    hits: tuple[Hit, ...]
    contents: tuple[str, ...]
    """SHA-256 of the picture of each hit."""
    scope: SearchScope
    seconds: float
    """How long the search took."""
    at: float = field(default_factory=time.monotonic)
    """When, by the monotonic clock."""

    def present(self, gallery: Gallery) -> list[Hit]:
        """The hits whose pictures are still in a gallery with the same contents. A renamed picture gets its new id."""
        if self.scope.generations == (gallery.folder.name,):
            return list(self.hits)
        tables = gallery.tables
        hashes, numbers = tables.images["sha256"], tables.numbers
        found = dict[str, Hit]()  # by the id of the picture
        for hit, sha256 in zip(self.hits, self.contents, strict=True):
            is_here = hit.image in numbers and hashes[numbers[hit.image]].as_py() == sha256
            image = hit.image if is_here else tables.with_contents(sha256)
            if image is not None:
                found.setdefault(image, replace(hit, image=image))
        return list(found.values())


@dataclass(slots=True)
class _Settled:
    """What is shown as the answer of a request, and a newer answer that waits."""

    asked: object
    """The request, and everything else besides the pictures that decides about its hits."""
    shown: Found
    newer: Found | None = None


def settled_results(request: Request, gallery: Gallery) -> Found:
    """The results to show. A repeated request keeps those that it had; `newer_results` looks for others.

    A newer answer without new matches replaces them. So does one that was asked for, and a new one if none of their
    pictures is left. Raises BoxfindError.
    """
    settled: _Settled | None = st.session_state.get(SETTLED)
    asked = _asked(request, gallery)
    if settled is None or settled.asked != asked or (settled.shown.hits and not settled.shown.present(gallery)):
        settled = _Settled(asked, _found(request, gallery))
    elif settled.newer is not None and not _new_matches(settled):
        settled = _Settled(asked, settled.newer)
    st.session_state[SETTLED] = settled
    return settled.shown


def newer_results(request: Request, gallery: Gallery) -> int:
    """Answer the request again if there is something new to search. The number of matches that are not shown yet.

    Costs nothing if there is nothing new. A search that fails now is repeated later.
    """
    settled: _Settled | None = st.session_state.get(SETTLED)
    if settled is None or settled.asked != _asked(request, gallery):
        return 0  # the page is about to run
    known, now = settled.newer or settled.shown, scope_of_request(request, gallery)
    is_due = now.generations != known.scope.generations or time.monotonic() - known.at > TEXT_EVERY
    if now != known.scope and is_due:
        try:
            settled.newer = _found(request, gallery)
        except BoxfindError:
            return 0
    return _new_matches(settled)


def show_newer() -> None:
    """Let the next page run show the newer answer."""
    settled: _Settled | None = st.session_state.get(SETTLED)
    if settled is not None and settled.newer is not None:
        st.session_state[SETTLED] = _Settled(settled.asked, settled.newer)


def _asked(request: Request, gallery: Gallery) -> object:
    album = shared_engine().album(request.only.album)
    return request, album.changed, gallery.folder.parent, gallery.manifest.recipe


def _found(request: Request, gallery: Gallery) -> Found:
    """Raises BoxfindError."""
    images = {example.picture: image_of(example.picture, gallery) for example in request.examples}
    scope = scope_of_request(request, gallery)
    hits, seconds = find(request, gallery, images)
    hashes, numbers = gallery.tables.images["sha256"], gallery.tables.numbers
    hits = matches_first(hits)
    return Found(tuple(hits), tuple(hashes[numbers[hit.image]].as_py() for hit in hits), scope, seconds)


def _new_matches(settled: _Settled) -> int:
    if settled.newer is None:
        return 0
    contents = dict(zip((hit.image for hit in settled.newer.hits), settled.newer.contents, strict=True))
    return sum(contents[hit.image] not in settled.shown.contents for hit in _matches(settled.newer.hits))


def _matches(hits: Sequence[Hit]) -> list[Hit]:
    """The likely and possible ones that the filters let through."""
    return [hit for _, hit in shown_of(hits) if is_match(hit)]
