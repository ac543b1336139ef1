"""Display of ratings: ranking choice, mean metrics, comparison, table and downloads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from boxfind.evaluation.dataset_zip import FOLDER, unfit
from boxfind.evaluation.judged_results import FIRST
from boxfind.evaluation.ratings import ENOUGH, Judged, Ratings, compare, mean
from boxfind.evaluation.ratings_table import MINUS, SEARCH
from boxfind.ui.search.search_options import LABELS
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain

TOP, ORDER = f"Right in the first {FIRST}", "Right before wrong"
ORDER_HELP = (
    "1 if every picture marked as right comes before every picture marked as wrong. Technical name: average precision "
    "(AP), or mAP for its mean."
)
TOP_HELP = (
    f"Of the first {FIRST} marked results, the share marked as right. If the collection has only 4 such pictures, 0.4 "
    f"is the best possible. Technical name: precision at {FIRST} (P@{FIRST})."
)
METRICS = (
    (TOP, "precision_at_10", TOP_HELP),
    (ORDER, "average_precision", ORDER_HELP),
)
CHOICES = {label: (ranking,) for ranking, label in LABELS.items()} | {" and ".join(LABELS.values()): tuple(LABELS)}


def rankings_choice() -> tuple[str, ...]:
    """Choose one ranking, or both to compare."""
    first = next(iter(CHOICES))
    chosen = st.segmented_control(
        "Ranking", list(CHOICES), default=first, required=True, key="evaluated", persist_state="session"
    )
    return CHOICES[chosen or first]


def nothing_rated(any_saved: bool) -> None:
    """Explain how to get ratings when no search can be rated."""
    if any_saved:
        st.info("No saved search has enough marks yet.", icon=":material/thumbs_up_down:")
    else:
        st.info("There are no saved searches yet.", icon=":material/bookmark:")
    st.markdown(
        "1. Search for an object.\n"
        f"2. Mark each of the first {FIRST} results as right or wrong with its thumbs.\n"
        "3. Save the search under a name and come back here."
    )
    st.page_link("pages/search.py", label="Go to Search", icon=":material/search:")


def overall(ratings: Ratings) -> None:
    """Show the mean metrics of each ranking, and how many results they are based on.

    Of two rankings, the first has its difference from the second.
    """
    labels = [LABELS[ranking] for ranking in ratings.by_ranking]
    with st.container(horizontal=True):
        for metric, field, help in METRICS:
            means = [mean([getattr(one.quality, field) for one in rated]) for rated in ratings.by_ranking.values()]
            for label, found in zip(labels, means, strict=True):
                lead = f"{found.value - means[-1].value:+.3f}"
                compared = label != labels[-1] and float(lead) != 0
                interval = ""
                if found.bounds:
                    low, high = found.bounds
                    interval = f"\n\n95 % interval over searches (bootstrap): {low:.3f} to {high:.3f}."
                st.metric(
                    f"{metric}: {label}" if len(labels) > 1 else metric,
                    f"{found.value:.3f}",
                    lead if compared else None,
                    delta_description=f"from {labels[-1]}" if compared else None,
                    border=True,
                    width=210,
                    height="stretch",
                    help=help + interval,
                )
    marked = [sum(one.judged for one in rated) / len(rated) for rated in ratings.by_ranking.values()]
    counts = " and ".join(
        f"{count:.1f}{f' ({label})' if len(labels) > 1 else ''}" for count, label in zip(marked, labels, strict=True)
    )
    st.caption(
        f"Mean over {_searches(ratings.count)}. On average {counts} of the first {FIRST} results are marked; results "
        "without a mark do not count. The searches are rerun without feedback, and the query picture does not count."
    )


def difference(ratings: Ratings) -> None:
    """Compare two rankings in words, with the significance of their difference."""
    first, second = (LABELS[ranking] for ranking in ratings.by_ranking)
    found = compare(*ratings.by_ranking.values())
    if found.mean.bounds is None:
        significance = f"A significance test needs at least {ENOUGH} searches."
    else:
        low, high = found.mean.bounds
        significance = (
            f"The mean difference, {first} minus {second}, is {found.mean.value:+.3f} (95 % interval {low:+.3f} to "
            f"{high:+.3f}): {'not significant' if low <= 0 <= high else 'significant'}."
        )
    st.markdown(
        f"By *{ORDER.lower()}*, **{first}** is better in {_searches(found.wins)}, **{second}** in "
        f"{found.losses}; {found.ties} tied. {significance}"
    )


def table(found: pd.DataFrame) -> None:
    """Show one row per search."""
    st.dataframe(
        found,
        hide_index=True,
        column_config={name: _column(name) for name in found.columns},
        alt="Ratings of every saved search, hardest first",
    )


def downloads(found: pd.DataFrame, searches: Sequence[Judged], packed: Callable[[], bytes]) -> None:
    """Offer the table and a data set for `boxfind evaluate`. Lists searches that the data set cannot hold."""
    with st.container(horizontal=True):
        st.download_button(
            "Table as CSV",
            found.to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig"),  # for spreadsheets
            "evaluation.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Data set as ZIP",
            packed,
            f"{FOLDER}.zip",
            "application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
            disabled=all(unfit(search) for search in searches),
            help="Boxes, pictures and marks in a folder, to rate any index with `boxfind evaluate`.",
        )
    left_out({s.name: unfit(s) for s in searches if unfit(s) and not (s.problem or s.missing)}, "Not in the data set")


def left_out(reasons: Mapping[str, str], title: str = "Not rated") -> None:
    """List the names of omitted searches with the reasons; show nothing if there are none."""
    if reasons:
        with st.expander(f"{title}: {_searches(len(reasons))}"):
            st.markdown("\n".join(f"- {plain(name)}: {plain(reason)}" for name, reason in reasons.items()))


def _column(name: str) -> Any:
    if name == SEARCH:
        return st.column_config.TextColumn(pinned=True, width="medium")
    for metric, technical, help in ((ORDER, "AP", ORDER_HELP), (TOP, "P@10", TOP_HELP)):
        if name.startswith(technical):
            label = metric + name.removeprefix(technical)
            return st.column_config.NumberColumn(label, format="%+.3f" if MINUS in name else "%.3f", help=help)
    return st.column_config.NumberColumn()


def _searches(count: int) -> str:
    return counted(count, "saved search", "saved searches")
