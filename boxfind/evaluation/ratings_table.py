"""Tabulate the ratings of saved searches, one row per search, hardest first."""

from collections.abc import Mapping
from dataclasses import dataclass

from boxfind.evaluation.ratings import Ratings, compare
from index.storage.skipped_files import harmless
from retrieval.printable_names import printable

Cell = str | float | int
SEARCH, UNMARKED, MINUS = "Search", "Unmarked", " − "


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose cells are safe for spreadsheets (no formulas)."""

    header: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


def judged_table(ratings: Ratings, labels: Mapping[str, str]) -> Table:
    """Tabulate average precision, precision at 10 and counts of marked and unmarked images of each search.

    With two rankings, a column has the difference of their average precisions. `labels`: ranking -> display name.
    """
    names = [labels[ranking] for ranking in ratings.by_ranking]
    first, *others = ratings.by_ranking.values()
    differences = compare(first, others[0]).differences if len(others) == 1 and first else {}
    rows = [
        (
            harmless(printable(of_search[0].name)),
            *(round(one.quality.average_precision, 4) for one in of_search),
            *([round(differences[of_search[0].name], 4)] if differences else []),
            *(round(one.quality.precision_at_10, 4) for one in of_search),
            of_search[0].positives,
            *(one.unmarked for one in of_search),
        )
        for of_search in zip(first, *others, strict=True)
    ]
    return Table(_header(names), sorted(rows, key=lambda row: (row[1], row[0])))


def _header(names: list[str]) -> tuple[str, ...]:
    suffixes = [f" {name}" for name in names] if len(names) > 1 else [""]
    return (
        SEARCH,
        *(f"AP{suffix}" for suffix in suffixes),
        *([f"AP {MINUS.join(names)}"] if len(names) == 2 else []),
        *(f"P@10{suffix}" for suffix in suffixes),
        "Marked right",
        *(f"{UNMARKED}{suffix}" for suffix in suffixes),
    )
