"""The ratings of saved searches as a table: a row for each search, the hardest first."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.judged import Ratings, compare
from index.skipped import harmless
from retrieval.images import printable

Cell = str | float | int
SEARCH, UNMARKED, MINUS = "Search", "Unmarked", " − "


@dataclass(frozen=True, slots=True)
class Table:
    """No cell is a formula to a spreadsheet."""

    header: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


def judged_table(ratings: Ratings, labels: Mapping[str, str]) -> Table:
    """Name, figures by each ranking, how many are right; with two rankings, also the first's AP less the second's.

    `labels` says what rankings are called.
    """
    rankings = list(ratings.by_ranking)
    ends = [f" {labels[ranking]}" if len(rankings) > 1 else "" for ranking in rankings]
    header = [
        SEARCH,
        *(f"AP{end}" for end in ends),
        *([f"AP {MINUS.join(labels[ranking] for ranking in rankings)}"] if len(rankings) == 2 else []),
        *(f"P@10{end}" for end in ends),
        "Marked right",
        *(f"{UNMARKED}{end}" for end in ends),
    ]
    differences = compare(*ratings.by_ranking.values()).differences if len(rankings) == 2 and ratings.count else {}
    rows: list[tuple[Cell, ...]] = []
    for of_search in zip(*ratings.by_ranking.values(), strict=True):
        name = of_search[0].name
        rows.append(
            (
                harmless(printable(name)),
                *(round(one.quality.average_precision, 4) for one in of_search),
                *([round(differences[name], 4)] if differences else []),
                *(round(one.quality.precision_at_10, 4) for one in of_search),
                of_search[0].right,
                *(one.unmarked for one in of_search),
            )
        )
    return Table(tuple(header), sorted(rows, key=lambda row: (row[1], row[0])))


def as_csv(table: Table) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(table.header)
    writer.writerows(table.rows)
    return out.getvalue()
