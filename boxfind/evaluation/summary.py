"""Summarise an evaluation: hardest queries, weakest objects, and a random split of the objects."""

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from boxfind.evaluation.evaluate import Evaluation, Row


@dataclass(frozen=True, slots=True)
class ObjectQuality:
    """The mean average precision over the queries of one object, by the main label set."""

    name: str
    queries: int
    average_precision: float


def by_object(found: Evaluation) -> list[ObjectQuality]:
    """Return all objects, weakest first."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in found.rated():
        rows[row.object].append(row)
    objects = [
        ObjectQuality(name, len(of), sum(row.quality[found.main].average_precision for row in of) / len(of))
        for name, of in rows.items()
    ]
    return sorted(objects, key=lambda one: (one.average_precision, one.name))


def hardest(found: Evaluation, count: int = 10) -> list[Row]:
    """Return the queries with the lowest average precision by the main label set, lowest first."""
    return sorted(found.rated(), key=lambda row: (row.quality[found.main].average_precision, row.query))[:count]


def half(objects: Iterable[str], seed: int = 0) -> set[str]:
    """Return a deterministic random half of the objects. Tune on it, and report `Evaluation.mean` of the other half."""
    names = sorted(set(objects))
    random.Random(seed).shuffle(names)
    return set(names[: len(names) // 2])
