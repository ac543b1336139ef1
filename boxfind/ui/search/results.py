"""Search results: their tiles, in sections and stacks, and the feedback on them."""

from collections.abc import Sequence

import streamlit as st

from boxfind.ui.original_file import DOWNLOAD, download_requested, request_download
from boxfind.ui.place_words import entry_in_words
from boxfind.ui.search.match_dialog import match_dialog
from boxfind.ui.search.result_filter import hidden_note, shown_of, shows_copies_singly
from boxfind.ui.search.result_order import Ranked, by_source, is_match, sections, stacked
from boxfind.ui.search.result_tile import ACTIONS, hit_tile
from boxfind.ui.search.saved_searches import keeping_marks
from boxfind.ui.search.search_state import search_from, search_state
from boxfind.ui.session import BY_GENERATION
from boxfind.ui.widgets.picture_dialog import request_dialog
from boxfind.ui.widgets.thumbnail import thumbnail_of
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from index.gallery import Gallery
from index.groups.duplicates import near_identical_among
from retrieval.errors import IndexProblem
from retrieval.types import Hit


def show_results(gallery: Gallery, hits: Sequence[Hit]) -> None:
    """Show the result tiles, and the dialog if one is requested."""
    state, shown = search_state(), shown_of(hits)
    regions = {hit.image: hit.region.box for hit in hits}

    def pick(action: str, image: str) -> None:
        if action == "open":
            request_dialog(image)
        elif action == "search":
            search_from(gallery, image, regions[image])
        elif action == DOWNLOAD.name:
            request_download(image)
        else:
            _mark(image, positive=action == "right")

    tile_grid(_tiles(gallery, shown), ACTIONS, pick, key="results", min_width=140, label="Results, best first")
    download_requested(gallery)
    hidden_note(hits)
    match_dialog(gallery, [hit for _, hit in shown], state.request, pick)


def _tiles(gallery: Gallery, shown: Sequence[Ranked]) -> list[Tile]:
    """The tiles in sections. Those of one file are adjacent, and near-copies of the best one of a file follow it."""
    request, tiles = search_state().request, list[Tile]()
    search = hash((request.examples, request.words))  # another one shows the best picture of each file again
    sources = {hit.image: gallery.entry(hit.image).source for _, hit in shown}
    for heading, part in sections(shown):
        files = {file[0][1].image: file for file in by_source(part, sources.__getitem__)}
        best = [file[0] for file in files.values()]
        matches = [hit.image for _, hit in best if is_match(hit)]
        copies = [] if shows_copies_singly() else _near_copies(gallery, matches)
        for (_, top), stack in stacked(best, copies):
            file = files[top.image]
            source = f"{search}/{heading}/{sources[top.image]}" if len(file) > 1 else ""
            tiles += [hit_tile(gallery, rank, hit, request, heading, stack, source) for rank, hit in file]
    return tiles


def feedback(gallery: Gallery) -> None:
    """Show the pictures marked as wrong, which the results leave out, and undo the feedback; hidden without any."""
    state = search_state()
    positives, negatives = state.request.positives, state.request.negatives
    if not positives and not negatives:
        return
    menu = st.popover("Feedback", icon=":material/thumbs_up_down:", on_change="rerun", key="feedback")
    if menu.open:
        with menu:
            st.button("Reset feedback", icon=":material/undo:", on_click=_remove_marks)
            if negatives:
                st.caption("Hidden, since marked as wrong:")
                _hidden(gallery, negatives)


def _hidden(gallery: Gallery, negatives: Sequence[str]) -> None:
    tiles = [
        Tile(image, thumbnail_of(gallery, image), (1, 1), f"Marked as wrong: {name}", name)
        for image in negatives
        if image in gallery.tables.numbers
        for name in [entry_in_words(gallery.entry(image))]
    ]
    actions = [Action("show", "Show again", "undo")]
    tile_grid(tiles, actions, lambda _, image: _mark(image, positive=False), "hidden", 110, "Marked as wrong")


def _mark(image: str, positive: bool) -> None:
    with keeping_marks():
        search_state().mark(image, positive)


def _remove_marks() -> None:
    with keeping_marks():
        search_state().remove_marks()


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs=BY_GENERATION)
def _near_copies(gallery: Gallery, images: Sequence[str]) -> list[list[str]]:
    """Groups of images that look nearly the same. A third of a millisecond for each image, so only for matches."""
    try:
        return near_identical_among(gallery, images)
    except IndexProblem:  # the generation was deleted
        return []
