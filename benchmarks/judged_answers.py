"""Answers with known right hits, also for galleries that hold few or no pictures of the query object."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from boxfind.engine import Engine
from boxfind.evaluation.batch import make_answer
from boxfind.evaluation.dataset import BoxedQuery, Dataset, Labels
from index.gallery import Gallery
from retrieval.types import Hit

KEPT: tuple[int | None, ...] = (None, 3, 1, 0)
"""How many pictures of the query object stay in the gallery; None keeps all. Those of `ignore.csv` never stay."""
HITS = 100
"""Hits of an answer that are judged."""


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """The first hits of one query, and which of them are right."""

    object: str
    kept: int | None
    hits: list[Hit]
    right: list[bool]


def judged_answers(
    engine: Engine, dataset: Dataset, ranking: str, objects: set[str], kept: Sequence[int | None] = KEPT
) -> list[JudgedAnswer]:
    """Answer the queries of these objects, once for each entry of `kept`. Deterministic."""
    gallery, labels = engine.gallery(), dataset.labels[dataset.main]
    asked = [query for query in dataset.queries if dataset.objects[query.name] in objects]
    return [
        _judged(engine, gallery, query, dataset.objects[query.name], labels, ranking, count)
        for query in asked
        for count in kept
    ]


def _judged(
    engine: Engine, gallery: Gallery, query: BoxedQuery, shown: str, labels: Labels, ranking: str, kept: int | None
) -> JudgedAnswer:
    relevant = labels.relevant[query.name]
    shuffled = np.random.default_rng(len(query.name)).permutation(sorted(relevant)).tolist()
    removed = labels.ignored.get(query.name, set()).union(shuffled[len(shuffled) if kept is None else kept :])
    part = gallery.only(~np.isin(gallery.tables.ids, sorted(removed))) if removed else gallery
    answered = make_answer(engine, part, HITS, ranking)(query)
    assert not answered.problem, answered.problem
    return JudgedAnswer(shown, kept, answered.hits, [hit.image in relevant for hit in answered.hits])
