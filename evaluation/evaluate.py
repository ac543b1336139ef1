"""How well, and how fast, an index finds what a labelled data set says is there."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine import Engine
from evaluation.batch import answer_all
from evaluation.dataset import read_pairs, read_queries
from index.gallery import Gallery
from retrieval.errors import BadTable
from retrieval.metrics import Quality, mean_quality, rate
from retrieval.weights import Progress


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Means over all queries; times are those of a person's search: from a decoded picture to ten hits."""

    queries: int
    quality: Quality
    seconds_p50: float
    seconds_p95: float


def evaluate(engine: Engine, gallery: Gallery, dataset: Path, ranking: str, progress: Progress) -> Evaluation:
    """Each query ranks the whole gallery; then each is asked again for ten hits, one after the other, for the time.

    Raises BadTable.
    """
    queries = read_queries(dataset / "queries.csv", dataset / "queries")
    relevant = read_pairs(dataset / "relevant.csv")
    ignored = read_pairs(dataset / "ignore.csv") if (dataset / "ignore.csv").exists() else {}
    unlabelled = [query.name for query in queries if query.name not in relevant]
    if unlabelled:
        raise BadTable(f"relevant.csv of {dataset} says nothing about the query {unlabelled[0]}.")
    answers = answer_all(engine, gallery, queries, 0, ranking, progress, engine.settings.workers)
    problems = [answer.problem for answer in answers if answer.problem]
    if problems:
        raise BadTable(f"{len(problems)} of {len(answers)} queries cannot be answered; the first is {problems[0]}")
    timed = answer_all(engine, gallery, queries, 10, ranking, progress)
    qualities = [
        rate([hit.image for hit in answer.hits], relevant[answer.query], ignored.get(answer.query, ()))
        for answer in answers
    ]
    p50, p95 = np.percentile([answer.seconds for answer in timed], [50, 95])
    return Evaluation(len(answers), mean_quality(qualities), float(p50), float(p95))
