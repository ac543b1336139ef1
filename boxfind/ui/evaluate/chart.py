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
ROW_HEIGHT = 26
"""Pixels; one row per search."""
MOST = 60
"""Maximum number of searches in the plot; the hardest are kept."""
TITLE = "Right before wrong (average precision)"
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
    axes = 95 if len(names) > 1 else 60
    st.altair_chart(_chart(points, names), alt=_described(ratings, labels), height=ROW_HEIGHT * len(order) + axes)
    if ratings.count > MOST:
        st.caption(f"The {MOST} hardest of {ratings.count} saved searches. The table lists all of them.")


def _chart(points: list[dict[str, object]], names: list[str]) -> ChartType:
    axis = alt.Axis(labelLimit=150, labelFlush=False, ticks=False)
    base = alt.Chart(alt.InlineData(values=points)).encode(
        x=alt.X("AP:Q", title=TITLE, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(values=TICKS)),
        y=alt.Y("Search:N", sort=alt.SortField("place"), title=None, axis=axis),
    )
    legend = alt.Legend(title=None, orient="top") if len(names) > 1 else None
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(
        color=alt.Color("Ranking:N", scale=alt.Scale(domain=names, range=COLOURS), legend=legend),
        shape=alt.Shape("Ranking:N", scale=alt.Scale(domain=names, range=SHAPES), legend=legend),
        tooltip=["Search:N", "Ranking:N", alt.Tooltip("AP:Q", format=".3f")],
    )
    if len(names) == 1:  # from zero, like a bar
        line = base.mark_rule(color=COLOURS[0], strokeWidth=2).encode(x2=alt.datum(0))
    else:
        line = base.mark_line(color=LINE, strokeWidth=3).encode(detail="Search:N")
    return alt.layer(line, dots)


def _described(ratings: Ratings, labels: Mapping[str, str]) -> str:
    figures = []
    for ranking, rated in ratings.by_ranking.items():
        precisions = [one.quality.average_precision for one in rated]
        figures.append(f"{labels[ranking]} from {min(precisions):.2f} to {max(precisions):.2f}")
    searches = counted(ratings.count, "saved search", "saved searches")
    return f"Average precision of {searches}: {'; '.join(figures)}. The table below lists every value."
