"""Tabulate the ratings of saved searches, one row per search, hardest first."""

from collections.abc import Mapping

import pandas as pd

from boxfind.evaluation.ratings import Ratings
from index.storage.skipped_files import harmless
from retrieval.printable_names import printable

SEARCH, JUDGED, MINUS = "Search", "Marked of the first 10", " − "


def judged_table(ratings: Ratings, labels: Mapping[str, str]) -> pd.DataFrame:
    """Tabulate precision at 10 with the number of marked results, and average precision, of each search.

    With two rankings, a column has the difference of their average precisions. Names are safe for spreadsheets (no
    formulas). `labels`: ranking -> display name.
    """
    names = [labels[ranking] for ranking in ratings.by_ranking]
    suffixes = [f" {name}" for name in names] if len(names) > 1 else [""]
    rankings = list(ratings.by_ranking.values())
    table = pd.DataFrame({SEARCH: [harmless(printable(one.name)) for one in rankings[0]]})
    for suffix, rated in zip(suffixes, rankings, strict=True):
        table[f"P@10{suffix}"] = [one.quality.precision_at_10 for one in rated]
        table[f"{JUDGED}{suffix}"] = [one.judged for one in rated]
    precision = [f"AP{suffix}" for suffix in suffixes]
    for column, rated in zip(precision, rankings, strict=True):
        table[column] = [one.quality.average_precision for one in rated]
    if len(names) == 2:
        table[f"AP {MINUS.join(names)}"] = table[precision[0]] - table[precision[1]]
    table["Marked right"] = [one.positives for one in rankings[0]]
    return table.round(4).sort_values([precision[0], SEARCH])
