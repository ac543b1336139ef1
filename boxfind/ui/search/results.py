"""Search results: filtered by count and similarity, in pages, with feedback controls."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from boxfind.ui.search.match_dialog import MATCH_DIALOG, match_dialog
from boxfind.ui.search.result_grid import result_grid
from boxfind.ui.search.search_state import search_from, search_state
from boxfind.ui.widgets.thumbnail import thumbnail_of
from boxfind.ui.widgets.tile_grid import Action, Tile, tile_grid
from index.gallery import Gallery
from retrieval.ranking.confidence import NO_MATCH, no_match
from retrieval.types import Hit

if TYPE_CHECKING:
    import altair as alt

COUNTS = (10, 20, 50, 100)
PER_PAGE = 20


def show_results(gallery: Gallery, hits: Sequence[Hit]) -> None:
    """Show one page of result tiles, and the dialog if one is open."""
    shown = shown_of(hits)
    pages = -(-len(shown) // PER_PAGE)
    slot = st.container()
    page = st.pagination(pages, key="results page") if pages > 1 else 1
    with slot:
        result_grid(
            gallery, shown[(page - 1) * PER_PAGE : page * PER_PAGE], search_state().request, _pick(gallery, hits)
        )
    match_dialog(gallery, [hit for _, hit in shown], search_state().request)


def remarks(hits: Sequence[Hit]) -> None:
    """Say if there is no confident match, or if the similarity filter hides every result."""
    if no_match(hits[: COUNTS[0]]):
        st.info(NO_MATCH, icon=":material/search_off:")
    if hits and not shown_of(hits):
        results = "The only result is" if len(hits) == 1 else f"All {len(hits)} results are"
        st.info(f"{results} below the minimum similarity of {_least():.2f}.", icon=":material/filter_alt:")
        st.button("Show all results", on_click=_any_similarity)


def shown_of(hits: Sequence[Hit]) -> list[tuple[int, Hit]]:
    """The hits to show with their ranks, after the similarity filter and the count limit."""
    least = _least()  # 0 means no filter, since cosines can be negative
    similar = [(rank, hit) for rank, hit in enumerate(hits, start=1) if not least or hit.similarity >= least]
    return similar[: st.session_state.get("count", COUNTS[0])]


def _pick(gallery: Gallery, hits: Sequence[Hit]) -> Callable[[str, str], None]:
    regions = {hit.image: hit.region.box for hit in hits}

    def pick(action: str, image: str) -> None:
        if action == "open":
            MATCH_DIALOG.open(image)
        elif action == "search":
            search_from(gallery, image, regions[image])
        else:
            search_state().mark(image, positive=action == "right")

    return pick


def count_choice() -> None:
    """Choose the number of results shown."""
    st.selectbox("Show", COUNTS, key="count", persist_state="session", width=90)


def similarity_choice(hits: Sequence[Hit]) -> None:
    """Choose the minimum similarity, with a histogram of the results."""
    least = _least()
    label = f"At least {least:.2f}" if least else "Any similarity"
    popover = st.popover(label, icon=":material/filter_alt:", on_change="rerun", key="similarity filter")
    if popover.open:
        with popover:
            st.altair_chart(_histogram(hits, least), width="stretch")
            st.slider("Minimum similarity", 0.0, 1.0, step=0.01, key="least", persist_state="session")


def marked(gallery: Gallery) -> None:
    """Show the feedback given and the controls to undo it; hidden without feedback."""
    state = search_state()
    request = state.request
    if not request.positives and not request.negatives:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"Ranked with your feedback: {len(request.positives)} right, {len(request.negatives)} wrong.",
            width="content",
        )
        if request.negatives:
            with st.popover("Hidden", icon=":material/thumb_down:"):
                _hidden(gallery, request.negatives)
        st.button("Reset feedback", icon=":material/undo:", type="tertiary", on_click=state.unmark)


def _hidden(gallery: Gallery, wrong: Sequence[str]) -> None:
    known = [image for image in wrong if image in gallery.tables.numbers]
    tiles = [Tile(image, thumbnail_of(gallery, image), (1, 1), f"Marked as wrong: {image}", image) for image in known]
    tile_grid(tiles, [Action("back", "Show again", "undo")], _take_back, "left out", 110, "Marked as wrong")


def _take_back(action: str, image: str) -> None:
    search_state().mark(image, positive=False)


def _least() -> float:
    return float(st.session_state.get("least", 0.0))


def _any_similarity() -> None:
    st.session_state["least"] = 0.0


def _histogram(hits: Sequence[Hit], least: float) -> "alt.LayerChart":
    import altair as alt  # imported here, because it takes 0.2 s
    import pandas as pd

    table = pd.DataFrame({"similarity": [hit.similarity for hit in hits], "match": [hit.confidence for hit in hits]})
    bars = (
        alt.Chart(table, height=160)
        .mark_bar()
        .encode(
            alt.X("similarity:Q", bin=alt.Bin(maxbins=25), title="Similarity"),
            alt.Y("count()", title="Results"),
            alt.Color("match:N", scale=alt.Scale(domain=["likely", "possible", "unlikely"]), title="Match"),
        )
    )
    line = alt.Chart(pd.DataFrame({"least": [least]})).mark_rule(strokeDash=[4, 3]).encode(x="least:Q")
    layers: alt.LayerChart = bars + line
    return layers
