"""Dot plot of the average precision of saved searches: one dot per ranking, joined by a line."""

from collections.abc import Mapping

import altair as alt
import streamlit as st
from altair.typing import ChartType

from boxfind.evaluation.ratings import Ratings
from boxfind.ui.widgets.counted import counted
from retrieval.printable_names import shown

COLOURS = ("#e8590c", "#3b82f6")
"""Distinguishable with red-green colour blindness, and visible on light and dark themes."""
SHAPES = ("circle", "diamond")
LINE = "#8b929c"
STEP = 26
"""Height of a row in pixels; one row per search."""
MOST = 60
"""Maximum number of searches in the plot; the hardest are kept."""
TICKS = (0, 0.2, 0.4, 0.6, 0.8, 1)


def average_precision_chart(ratings: Ratings, labels: Mapping[str, str]) -> None:
    """Plot the hardest searches by the first ranking, in table order. `labels` maps rankings to display names."""
    names = [labels[ranking] for ranking in ratings.by_ranking]
    first = next(iter(ratings.by_ranking.values()))
    order = [one.name for one in sorted(first, key=lambda one: (one.quality.average_precision, one.name))][:MOST]
    points = [
        {
            "Search": shown(one.name),
            "place": order.index(one.name),
            "Ranking": labels[ranking],
            "AP": one.quality.average_precision,
        }
        for ranking, of_ranking in ratings.by_ranking.items()
        for one in of_ranking
        if one.name in order
    ]
    st.altair_chart(_chart(points, names), alt=_described(ratings, labels), height=_height(len(order), len(names)))
    if ratings.count > MOST:
        st.caption(f"The {MOST} hardest of {ratings.count} saved searches. The table lists all of them.")


def _chart(points: list[dict[str, object]], names: list[str]) -> ChartType:
    base = alt.Chart(alt.InlineData(values=points)).encode(
        y=alt.Y(
            "Search:N",
            sort=alt.SortField("place"),
            title=None,
            axis=alt.Axis(labelLimit=150, labelFlush=False, ticks=False),
        )
    )
    across = alt.X("AP:Q", title="Average precision", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(values=TICKS))
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=across,
        color=alt.Color("Ranking:N", scale=alt.Scale(domain=names, range=COLOURS), legend=_legend(names)),
        shape=alt.Shape("Ranking:N", scale=alt.Scale(domain=names, range=SHAPES), legend=_legend(names)),
        tooltip=["Search:N", "Ranking:N", alt.Tooltip("AP:Q", format=".3f")],
    )
    if len(names) == 1:  # from zero, like a bar
        line = base.mark_rule(color=COLOURS[0], strokeWidth=2).encode(x=across, x2=alt.datum(0))
    else:
        line = base.mark_line(color=LINE, strokeWidth=3).encode(x=across, detail="Search:N")
    return alt.layer(line, dots)


def _legend(names: list[str]) -> alt.Legend | None:
    return alt.Legend(title=None, orient="top") if len(names) > 1 else None


def _height(searches: int, rankings: int) -> int:
    return STEP * searches + (95 if rankings > 1 else 60)


def _described(ratings: Ratings, labels: Mapping[str, str]) -> str:
    figures = "; ".join(
        f"{labels[ranking]} from {min(aps):.2f} to {max(aps):.2f}"
        for ranking, rated in ratings.by_ranking.items()
        for aps in [[one.quality.average_precision for one in rated]]
    )
    searches = counted(ratings.count, "saved search", "saved searches")
    return f"Average precision of {searches}: {figures}. The table below lists every value."
