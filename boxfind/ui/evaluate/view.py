"""Display of ratings: ranking choice, mean metrics, comparison, table and downloads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from boxfind.evaluation.dataset_zip import FOLDER, unfit
from boxfind.evaluation.ratings import ENOUGH, FIRST, Judged, Ratings, compare, mean
from boxfind.evaluation.ratings_table import MINUS, SEARCH, UNMARKED
from boxfind.ui.search.search_options import LABELS
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain

AP_HELP = (
    "Mean average precision: 1 if every search ranks all pictures marked as right before all others. A picture that is "
    "not found counts as 0."
)
P_HELP = (
    f"Precision at {FIRST}: the share of the first {FIRST} results marked as right. If only 4 pictures are marked as "
    "right, finding all 4 scores 1."
)
METRICS = (("mAP", "average_precision", AP_HELP), ("P@10", "precision_at_10", P_HELP))
CAVEATS = (
    "Unmarked pictures count as wrong, which favours the ranking whose results you marked. Mark the first "
    f"{FIRST} results of both rankings before you compare them. "
    "The searches are rerun without feedback, and the query picture does not count."
)
CHOICES = {label: (ranking,) for ranking, label in LABELS.items()} | {" and ".join(LABELS.values()): tuple(LABELS)}


def rankings_choice() -> tuple[str, ...]:
    """Choose one ranking, or both to compare."""
    first = next(iter(CHOICES))
    chosen = st.segmented_control(
        "Ranking", list(CHOICES), default=first, required=True, key="evaluated", persist_state="session"
    )
    return CHOICES[chosen or first]


def nothing_rated(unrated: Mapping[str, str]) -> None:
    """Explain how to get ratings when no search can be rated."""
    if unrated:
        st.info("No saved search can be rated yet.", icon=":material/thumbs_up_down:")
    else:
        st.info("There are no saved searches yet.", icon=":material/bookmark:")
    st.markdown(
        "1. Search for an object.\n"
        "2. Mark each result as right or wrong with its thumbs.\n"
        "3. Save the search under a name and come back here."
    )
    st.page_link("pages/search.py", label="Go to Search", icon=":material/search:")
    left_out(unrated)


def overall(ratings: Ratings) -> None:
    """Show the mean metrics of each ranking; of two, the first with its difference from the second."""
    labels = [LABELS[ranking] for ranking in ratings.by_ranking]
    with st.container(horizontal=True):
        for metric, field, help in METRICS:
            means = [mean([getattr(one.quality, field) for one in rated]) for rated in ratings.by_ranking.values()]
            for label, found in zip(labels, means, strict=True):
                compared = len(labels) > 1 and label == labels[0]
                interval = ""
                if found.bounds:
                    low, high = found.bounds
                    interval = f"\n\n95 % interval over searches (bootstrap): {low:.3f} to {high:.3f}."
                st.metric(
                    f"{metric} {label}" if len(labels) > 1 else metric,
                    f"{found.value:.3f}",
                    f"{found.value - means[1].value:+.3f}" if compared else None,
                    delta_description=f"from {labels[1]}" if compared else None,
                    border=True,
                    width=160,
                    height="stretch",
                    help=help + interval,
                )
    st.caption(f"Mean over {_searches(ratings.count)}. {CAVEATS}")


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
        f"By average precision, **{first}** is better in {_searches(found.wins)}, **{second}** in {found.losses}; "
        f"{found.ties} tied. {significance}"
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
    left_out({s.name: unfit(s) for s in searches if not s.problem and unfit(s)}, "Not in the data set")


def left_out(reasons: Mapping[str, str], title: str = "Not rated") -> None:
    """List the names of omitted searches with the reasons; show nothing if there are none."""
    if reasons:
        with st.expander(f"{title}: {_searches(len(reasons))}"):
            st.markdown("\n".join(f"- {plain(name)}: {plain(reason)}" for name, reason in reasons.items()))


def _column(name: str) -> Any:
    if name == SEARCH:
        return st.column_config.TextColumn(pinned=True, width="medium")
    if name.startswith(("AP", "P@10")):
        return st.column_config.NumberColumn(format="%+.3f" if MINUS in name else "%.3f")
    return st.column_config.NumberColumn(help=f"Among the first {FIRST} results" if name.startswith(UNMARKED) else None)


def _searches(count: int) -> str:
    return counted(count, "saved search", "saved searches")
