"""Ratings of the saved searches as a page shows them: the choice of rankings, overall figures, table, downloads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from boxfind.evaluation.dataset import csv_text
from boxfind.evaluation.dataset_zip import FOLDER, unfit
from boxfind.evaluation.ratings import ENOUGH, FIRST, Judged, Mean, Ratings, compare, mean
from boxfind.evaluation.ratings_table import MINUS, SEARCH, UNMARKED, Table
from boxfind.ui.search.ranking_choice import LABELS
from boxfind.ui.widgets.safe_text import plain

AP_HELP = (
    "Mean average precision: 1 when every picture marked as right comes before all others, in every search. A picture "
    "that is not found adds nothing."
)
P_HELP = f"The share of the first {FIRST} that is marked as right, against what was possible: 4 of 4 found are 1."
HONEST = (
    "Pictures that nobody marked count as wrong, and one tends to mark what one is shown: before two rankings are "
    f"compared, the first {FIRST} of both should be marked. Marks are no part of the question here, and the picture "
    "searched with does not count."
)
CHOICES = {label: (ranking,) for ranking, label in LABELS.items()} | {" and ".join(LABELS.values()): tuple(LABELS)}


def rankings_choice() -> tuple[str, ...]:
    """One ranking, or two side by side."""
    first = next(iter(CHOICES))
    chosen = st.segmented_control(
        "Ranking", list(CHOICES), default=first, required=True, key="evaluated", persist_state="session"
    )
    return CHOICES[chosen or first]


def nothing_yet(unrated: Mapping[str, str]) -> None:
    """What to do next, where no search can be rated."""
    if unrated:
        st.info("No saved search can be rated yet.", icon=":material/thumbs_up_down:")
    else:
        st.info("There are no saved searches yet.", icon=":material/bookmark:")
    st.markdown(
        "1. Search for an object.\n"
        "2. Mark each result as right or wrong with its thumbs.\n"
        "3. Save the search under a name, and come back here."
    )
    st.page_link("pages/search.py", label="To the search", icon=":material/search:")
    left_out(unrated)


def overall(ratings: Ratings) -> None:
    """The means of every ranking; the first's with its distance from the second's, where there are two."""
    rankings = list(ratings.by_ranking)
    with st.container(horizontal=True):
        for figure, field, help in (("mAP", "average_precision", AP_HELP), ("P@10", "precision_at_10", P_HELP)):
            means = [mean([getattr(one.quality, field) for one in rated]) for rated in ratings.by_ranking.values()]
            for ranking, found in zip(rankings, means, strict=True):
                compared = len(rankings) > 1 and ranking == rankings[0]
                st.metric(
                    f"{figure} {LABELS[ranking]}" if len(rankings) > 1 else figure,
                    f"{found.value:.3f}",
                    f"{found.value - means[1].value:+.3f}" if compared else None,
                    delta_description=f"from {LABELS[rankings[1]]}" if compared else None,
                    border=True,
                    width=160,
                    height="stretch",
                    help=help + _interval(found),
                )
    st.caption(f"The mean over {_searches(ratings.count)}. {HONEST}")


def difference(ratings: Ratings) -> None:
    """Two rankings against each other, in words."""
    first, second = (LABELS[ranking] for ranking in ratings.by_ranking)
    found = compare(*ratings.by_ranking.values())
    st.markdown(
        f"By average precision **{first}** is better in {_searches(found.wins)}, **{second}** in {found.losses}, and "
        f"{found.ties} are level. {_worth(f'{first} less {second}', found.mean)}"
    )


def table(found: Table) -> None:
    """A row for each search."""
    st.dataframe(
        {name: [row[column] for row in found.rows] for column, name in enumerate(found.header)},
        hide_index=True,
        column_config={name: _column(name) for name in found.header},
        alt="Figures of every saved search, the hardest first",
    )


def downloads(found: Table, searches: Sequence[Judged], packed: Callable[[], bytes]) -> None:
    """The table, and the searches as a data set for the command line; those that do not fit are named."""
    with st.container(horizontal=True):
        st.download_button(
            "Table as CSV",
            csv_text(found.header, found.rows).encode("utf-8-sig"),  # with the mark that spreadsheets look for
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
            help="Boxes, pictures and marks as a folder that `boxfind evaluate` measures any index with.",
        )
    left_out({s.name: unfit(s) for s in searches if not s.problem and unfit(s)}, "Not in the data set")


def left_out(reasons: Mapping[str, str], title: str = "Not rated") -> None:
    """Names with the reason; nothing where there are none."""
    if reasons:
        with st.expander(f"{title}: {_searches(len(reasons))}"):
            st.markdown("\n".join(f"- {plain(name)}: {plain(reason)}" for name, reason in reasons.items()))


def _column(name: str) -> Any:
    if name == SEARCH:
        return st.column_config.TextColumn(pinned=True, width="medium")
    if name.startswith(("AP", "P@10")):
        return st.column_config.NumberColumn(format="%+.3f" if MINUS in name else "%.3f")
    return st.column_config.NumberColumn(help=f"Of the first {FIRST}" if name.startswith(UNMARKED) else None)


def _worth(what: str, difference: Mean) -> str:
    if difference.bounds is None:
        return f"{ENOUGH} searches or more would tell whether that could be chance."
    low, high = difference.bounds
    judgement = "which could be chance" if low <= 0 <= high else "which is hardly chance"
    return (
        f"The mean difference, {what}, is {difference.value:+.3f} (95 % interval {low:+.3f} to {high:+.3f}), "
        f"{judgement}."
    )


def _interval(found: Mean) -> str:
    if found.bounds is None:
        return ""
    low, high = found.bounds
    return f"\n\n95 % interval over searches (bootstrap): {low:.3f} to {high:.3f}."


def _searches(count: int) -> str:
    return f"{count} saved search" if count == 1 else f"{count} saved searches"
