"""Search results: filtered by count and similarity, in pages, with feedback controls."""

from collections.abc import Sequence
from typing import Any, get_args

import streamlit as st

from boxfind.ui.search.match_dialog import match_dialog
from boxfind.ui.search.result_tile import ACTIONS, hit_tile
from boxfind.ui.search.search_state import search_from, search_state
from boxfind.ui.widgets.paging import page_of
from boxfind.ui.widgets.picture_dialog import request_dialog
from boxfind.ui.widgets.thumbnail import thumbnail_of
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from index.gallery import Gallery
from retrieval.ranking.confidence import NO_MATCH, no_match
from retrieval.types import Confidence, Hit

COUNTS = (10, 20, 50, 100)
PER_PAGE = 20
MINIMUM = "minimum similarity"
"""The session key of the similarity filter. 0 means no filter, since cosines can be negative."""


def show_results(gallery: Gallery, hits: Sequence[Hit]) -> None:
    """Show one page of result tiles, and the dialog if one is requested."""
    state, shown = search_state(), shown_of(hits)
    regions = {hit.image: hit.region.box for hit in hits}

    def pick(action: str, image: str) -> None:
        if action == "open":
            request_dialog(image)
        elif action == "search":
            search_from(gallery, image, regions[image])
        else:
            state.mark(image, positive=action == "right")

    grid = st.container()  # above the page buttons
    page = page_of(shown, PER_PAGE, "results page")
    with grid:
        tiles = [hit_tile(gallery, rank, hit, state.request) for rank, hit in page]
        tile_grid(tiles, ACTIONS, pick, key="results", min_width=140, label="Results, best first")
    match_dialog(gallery, [hit for _, hit in shown], state.request, pick)


def shown_of(hits: Sequence[Hit]) -> list[tuple[int, Hit]]:
    """The hits to show with their ranks, after the similarity filter and the count limit."""
    least = _minimum()
    similar = [(rank, hit) for rank, hit in enumerate(hits, start=1) if not least or hit.similarity >= least]
    return similar[: st.session_state.get("count", COUNTS[0])]


def remarks(hits: Sequence[Hit]) -> None:
    """Say if there is no confident match, or if the similarity filter hides every result."""
    if no_match(hits[: COUNTS[0]]):
        st.info(NO_MATCH, icon=":material/search_off:")
    if hits and not shown_of(hits):
        results = "The only result is" if len(hits) == 1 else f"All {len(hits)} results are"
        st.info(f"{results} below the minimum similarity of {_minimum():.2f}.", icon=":material/filter_alt:")
        st.button("Show all results", on_click=st.session_state.update, args=[{MINIMUM: 0.0}])


def count_choice() -> None:
    """Choose the number of results shown."""
    st.selectbox("Show", COUNTS, key="count", persist_state="session", width=90)


def similarity_choice(hits: Sequence[Hit]) -> None:
    """Choose the minimum similarity, with a histogram of the results."""
    least = _minimum()
    label = f"At least {least:.2f}" if least else "Any similarity"
    popover = st.popover(label, icon=":material/filter_alt:", on_change="rerun", key="similarity filter")
    if popover.open:
        with popover:
            st.vega_lite_chart(_histogram(hits, least), width="stretch")
            st.slider("Minimum similarity", 0.0, 1.0, step=0.01, key=MINIMUM, persist_state="session")


def feedback(gallery: Gallery) -> None:
    """Show the feedback given and the controls to undo it; hidden without feedback."""
    state = search_state()
    positives, negatives = state.request.positives, state.request.negatives
    if not positives and not negatives:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        summary = f"Ranked with your feedback: {len(positives)} right, {len(negatives)} wrong."
        st.caption(summary, width="content")
        if negatives:
            with st.popover("Hidden", icon=":material/thumb_down:"):
                _hidden(gallery, negatives)
        st.button("Reset feedback", icon=":material/undo:", type="tertiary", on_click=state.remove_marks)


def _hidden(gallery: Gallery, negatives: Sequence[str]) -> None:
    tiles = [
        Tile(image, thumbnail_of(gallery, image), (1, 1), f"Marked as wrong: {image}", image)
        for image in negatives
        if image in gallery.tables.numbers
    ]
    actions = [Action("show", "Show again", "undo")]
    tile_grid(tiles, actions, lambda _, image: search_state().mark(image, False), "hidden", 110, "Marked as wrong")


def _minimum() -> float:
    return float(st.session_state.get(MINIMUM, 0.0))


def _histogram(hits: Sequence[Hit], least: float) -> dict[str, Any]:
    """A Vega-Lite chart of the similarities, with a line at the chosen minimum."""
    confidences = get_args(Confidence)
    bars = {
        "x": {"field": "similarity", "type": "quantitative", "bin": {"maxbins": 25}, "title": "Similarity"},
        "y": {"aggregate": "count", "title": "Results"},
        "color": {"field": "match", "type": "nominal", "scale": {"domain": confidences}, "title": "Match"},
    }
    return {
        "height": 160,
        "data": {"values": [{"similarity": hit.similarity, "match": hit.confidence} for hit in hits]},
        "layer": [
            {"mark": "bar", "encoding": bars},
            {"mark": {"type": "rule", "strokeDash": [4, 3]}, "encoding": {"x": {"datum": least}}},
        ],
    }
