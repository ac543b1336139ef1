"""Format an evaluation as text, as a dict for JSON, or as a CSV with one row per query."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from boxfind.evaluation.dataset import write_table
from boxfind.evaluation.evaluate import Evaluation, Row
from boxfind.evaluation.metrics import Quality
from retrieval.printable_names import printable

FIGURES = {
    "mAP": "average_precision",
    "P@1": "precision_at_1",
    "P@5": "precision_at_5",
    "P@10": "precision_at_10",
    "R@10": "recall_at_10",
    "R@100": "recall_at_100",
}
SHOWN = 10
"""Number of hardest queries and weakest objects listed in the text."""


def remarks(found: Evaluation) -> list[str]:
    """Return warnings about the validity of the figures."""
    notes = []
    if found.absent:
        pictures = "1 relevant picture is" if found.absent == 1 else f"{found.absent} relevant pictures are"
        notes.append(f"{pictures} not in the index and counted as not found.")
    notes += [f"{query} is not rated: {missing}" for query, missing in found.unrated.items()]
    return notes


def as_dict(found: Evaluation) -> dict[str, Any]:
    """Return plain values for JSON, rounded to 4 digits. Top-level figures use the main label set."""
    return {
        "dataset": found.dataset,
        "protocol": found.protocol,
        "queries": found.queries,
        **_figures(found.quality),
        "ms p50": _ms(found.seconds_p50),
        "ms p95": _ms(found.seconds_p95),
        "localisation": _rounded(found.localisation),
        "absent": found.absent,
        "judged of 10": None if found.judged is None else round(found.judged, 4),
        "unrated": found.unrated,
        "labels": {name: {"queries": len(found.rated(name)), **_figures(found.mean(name))} for name in found.labels},
        "objects": [
            {"object": name, "queries": queries, "AP": round(precision, 4)}
            for precision, name, queries in weakest_objects(found)
        ],
        "hardest": [
            {"query": row.query, "object": row.object, "AP": round(_ap(found, row), 4)}
            for row in hardest_queries(found)
        ],
        "per_query": [_query(found, row) for row in found.rows],
    }


def as_text(found: Evaluation) -> str:
    """Format the means, then the hardest queries and weakest objects."""
    means = [["labels", "queries", *FIGURES]]
    for name in found.labels:
        shares = [f"{value:.4f}" for value in _figures(found.mean(name)).values()]
        means.append([name, str(len(found.rated(name))), *shares])
    hardest = [[row.query, row.object, f"{_ap(found, row):.3f}"] for row in hardest_queries(found)]
    weakest = [[name, str(queries), f"{precision:.3f}"] for precision, name, queries in weakest_objects(found)[:SHOWN]]
    count = found.judged
    judged = "" if count is None else f"Judged: {count:.1f} of the first 10 results; others do not count\n"
    place = "" if found.localisation is None else f"Localisation: mean IoU {found.localisation:.3f}\n"
    return (
        f"{aligned(means)}\n\n"
        f"Protocol: {found.protocol}\n{judged}"
        f"Query time: p50 {_ms(found.seconds_p50)} ms, p95 {_ms(found.seconds_p95)} ms\n{place}\n"
        f"{aligned([['hardest queries', 'object', 'AP'], *hardest])}\n\n"
        f"{aligned([['weakest objects', 'queries', 'AP'], *weakest])}"
    )


def write_csv(found: Evaluation, out: Path) -> None:
    """Write one row per query; with several label sets, their names prefix the columns. Raises BadTable."""
    rows = [_query(found, row) for row in found.rows]
    write_table(out, rows[0], ([("" if value is None else value) for value in row.values()] for row in rows))


def hardest_queries(found: Evaluation) -> list[Row]:
    """Return the ten queries with the lowest average precision by the main label set, lowest first."""
    return sorted(found.rated(), key=lambda row: (_ap(found, row), row.query))[:SHOWN]


def weakest_objects(found: Evaluation) -> list[tuple[float, str, int]]:
    """Return (mean average precision, object, number of queries) by the main label set, lowest first."""
    precisions: dict[str, list[float]] = defaultdict(list)
    for row in found.rated():
        precisions[row.object].append(_ap(found, row))
    return sorted((sum(values) / len(values), name, len(values)) for name, values in precisions.items())


def _query(found: Evaluation, row: Row) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in found.labels:
        quality = row.quality.get(name)
        prefix = f"{name} " if len(found.labels) > 1 else ""
        for figure, field in FIGURES.items():
            value = None if quality is None else getattr(quality, field)
            figures[prefix + figure.replace("mAP", "AP")] = _rounded(value)
    return {
        "query": row.query,
        "object": row.object,
        **figures,
        **({} if row.judged is None else {"judged of 10": row.judged}),
        "localisation": _rounded(row.localisation),
        "ms": _ms(row.seconds),
    }


def _figures(quality: Quality) -> dict[str, float]:
    return {name: round(getattr(quality, field), 4) for name, field in FIGURES.items()}


def _ap(found: Evaluation, row: Row) -> float:
    return row.quality[found.main].average_precision


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Align columns, separated by two spaces; numbers to the right."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    numbers = [all(row[column][:1].isdigit() for row in cells[1:]) for column in range(len(widths))]
    lines = (
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers, strict=True)
        )
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)
