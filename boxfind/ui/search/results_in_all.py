"""The results of a search in all collections. Marks, albums and saving belong to one, so they are not offered."""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import streamlit as st

from boxfind.search_all import FoundHit, FoundInAll, search_all
from boxfind.search_scope import scope_of
from boxfind.ui.collection_choice import title_of
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.original_file import DOWNLOAD, download_requested, request_download
from boxfind.ui.search.export_menu import export_menu_of_all
from boxfind.ui.search.match_dialog import match_dialog
from boxfind.ui.search.result_filter import filter_menu, hidden_note, shown_of
from boxfind.ui.search.result_order import LOOK_ALIKES, OTHERS, is_match, match_counts
from boxfind.ui.search.result_tile import ACTIONS, hit_tile
from boxfind.ui.search.search_history import search_history
from boxfind.ui.search.search_options import ranking_choice
from boxfind.ui.search.search_state import SearchState, image_of, search_from
from boxfind.ui.served_gallery import failure
from boxfind.ui.session import MOST_HITS, shared_engines, visiting_client
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.picture_dialog import request_dialog
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.tile_grid import Tile, tile_grid
from index.gallery import Gallery
from retrieval.errors import BoxfindError
from retrieval.images.decode import LoadedImage
from retrieval.ranking.confidence import NO_MATCH
from retrieval.request import Request
from retrieval.types import Hit

ONLY_IN_ONE = "To mark results, filter by folder or album, or save this search, choose one collection in the sidebar."
NOT_ANNOUNCED = "More matches are not announced here: reload the page to look again."
PICKED = "collection of the picked result"
"""Session key of the collection whose picture is shown closer or downloaded."""
ANSWER = "answer of all collections"
"""Session key of the last answer."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer without its galleries: a session that holds them would keep old generations in memory."""

    asked: object
    """The request, and the generations that were served."""
    hits: tuple[tuple[str, Hit], ...]
    """With the names of their collections."""
    generations: Mapping[str, str]
    """By the name of the collection."""
    without_index: tuple[str, ...]
    without_answer: tuple[str, ...]
    seconds: float


def results_in_all(state: SearchState, gallery: Gallery) -> None:
    """Answer the request in all collections, and show the results. `gallery` is the one that the query is from."""
    try:
        images = {example.picture: image_of(example.picture, gallery) for example in state.request.examples}
        with st.spinner("Searching…") if state.request.words else nullcontext():
            found, seconds = _answer(_asked(state.request), images)
    except BoxfindError as error:
        failure(error)
        st.stop()
    ordered = sorted(found.hits, key=lambda one: is_match(one.hit), reverse=True)
    hits = [one.hit for one in ordered]
    shown = [(rank, ordered[rank - 1]) for rank, _ in shown_of(hits)]
    with st.container(key="bar", gap="xsmall"):
        _status(found, seconds)
        with st.container(key="tools", horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall"):
            ranking_choice()
            filter_menu(None, hits)
            search_history(gallery)
            titles = _titles()
            named = [(titles.get(one.collection, one.collection), one.gallery, one.hit) for _, one in shown]
            export_menu_of_all(gallery, state.request, named)
    is_building = scope_of(found.galleries.values()).found is not None
    st.caption(plain(" ".join([*found.remarks, *[NOT_ANNOUNCED] * is_building, ONLY_IN_ONE])))
    _show(found, shown, state.request)
    hidden_note(hits)


def _asked(request: Request) -> Request:
    """The request without what belongs to one collection."""
    only = replace(request.only, album="")
    return replace(request, folder="", only=only, positives=(), negatives=())


def _answer(request: Request, images: Mapping[str, LoadedImage]) -> tuple[FoundInAll, float]:
    """The results and the seconds they took. The last ones are kept for the next run of the page."""
    engines = shared_engines()
    served = tuple((collection, engines.of(collection).generation()) for collection in engines.collections.all())
    kept: _Kept | None = st.session_state.get(ANSWER)
    again = _reopened(kept) if kept is not None and kept.asked == (request, served) else None
    if kept is not None and again is not None:
        return again, kept.seconds
    began = time.perf_counter()
    found = search_all(engines, request, images, MOST_HITS, visiting_client())
    seconds = time.perf_counter() - began
    # While a new generation is being opened, the one before it answers, whose files may soon be deleted.
    generations = {name: gallery.folder.name for name, gallery in found.galleries.items()}
    is_current = all(engines.get(name).generation().strip() == generations[name] for name in generations)
    hits = tuple((one.collection, one.hit) for one in found.hits)
    kept = _Kept((request, served), hits, generations, found.without_index, found.without_answer, seconds)
    st.session_state[ANSWER] = kept if is_current else None
    return found, seconds


def _reopened(kept: _Kept) -> FoundInAll | None:
    """The answer with its galleries; None if another generation of one of them is open."""
    galleries = {name: shared_engines().get(name).gallery() for name in kept.generations}
    if any(gallery.folder.name != kept.generations[name] for name, gallery in galleries.items()):
        return None
    hits = tuple(FoundHit(name, galleries[name], hit) for name, hit in kept.hits)
    return FoundInAll(hits, galleries, kept.without_index, kept.without_answer)


def _status(found: FoundInAll, seconds: float) -> None:
    total = sum(gallery.manifest.counts.images for gallery in found.galleries.values())
    searched = f"{counted(total, 'picture')} in {counted(len(found.galleries), 'collection')}"
    with st.container(key="status", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{match_counts([one.hit for one in found.hits]) or NO_MATCH}**", width="content")
        st.caption(f"Searched {searched} in {1000 * seconds:.0f} ms", width="content")


def _titles() -> dict[str, str]:
    """The names of all collections -> their names for people."""
    return {collection.name: title_of(collection) for collection in shared_engines().collections.all()}


def _show(found: FoundInAll, shown: Sequence[tuple[int, FoundHit]], request: Request) -> None:
    """Show the results as tiles, and the closer view if it is open. That steps through the results of one collection.

    `shown` are the results that pass the filters, with their ranks.
    """
    titles = _titles()
    hits = {f"{one.collection}\n{one.hit.image}": (one.collection, one.hit) for _, one in shown}

    def pick(action: str, name: str) -> None:
        _pick(*hits[name], action)

    actions = [action for action in ACTIONS if not action.toggle]
    any_match = any(is_match(one.hit) for _, one in shown)
    tiles = [
        _tile(one, rank, request, titles.get(one.collection, one.collection), OTHERS if any_match else LOOK_ALIKES)
        for rank, one in shown
    ]
    tile_grid(tiles, actions, pick, key="results in all", min_width=140, label="Results, best first")
    picked = st.session_state.get(PICKED, "")
    if picked in found.galleries:
        gallery = found.galleries[picked]
        download_requested(gallery)
        own = {one.hit.image: one.hit for _, one in shown if one.collection == picked}
        match_dialog(
            gallery,
            [*own.values()],
            request,
            lambda action, image: _pick(picked, own[image], action),
            titles.get(picked, picked),
        )


def _tile(one: FoundHit, rank: int, request: Request, title: str, others: str) -> Tile:
    tile = hit_tile(one.gallery, rank, one.hit, request, "" if is_match(one.hit) else others)
    return replace(
        tile,
        name=f"{one.collection}\n{one.hit.image}",
        title=tile.title.replace(f"{rank}  ", f"{rank}  {title}: ", 1),  # a long title is shortened in the middle
        alt=f"{tile.alt}, in {title}",
    )


@errors_as_toasts()
def _pick(collection: str, hit: Hit, action: str) -> None:
    st.session_state[PICKED] = collection
    if action == "open":
        request_dialog(hit.image)
    elif action == DOWNLOAD.name:
        request_download(hit.image)
    elif action == "search":
        search_from(shared_engines().get(collection).gallery(), hit.image, hit.region.box)
