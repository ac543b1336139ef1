"""Evaluate an index on a labelled data set: retrieval quality, localisation and query time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from boxfind.engine import Engine
from boxfind.evaluation.batch import answer_all, make_answer, map_queries
from boxfind.evaluation.dataset import BoxedQuery, Dataset
from boxfind.evaluation.judged_results import Judgements
from boxfind.evaluation.metrics import PROTOCOLS, Quality, Rater, mean_quality
from index.gallery import Gallery
from retrieval.errors import BadDataset, pick
from retrieval.printable_names import shown
from retrieval.types import Hit, Progress, iou


@dataclass(frozen=True, slots=True)
class Row:
    """One query: its quality by label set, and the seconds from the decoded image to ten hits.

    `localisation` is the mean IoU of matched and true boxes, None if no true box is known. `judged` of the first ten
    results are judged, None if the whole gallery is. With too few, there is no quality and `missing` says why.
    """

    query: str
    object: str
    quality: dict[str, Quality]
    localisation: float | None
    seconds: float
    judged: int | None = None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results on one data set; `absent` relevant images are not in the index and count as misses."""

    dataset: str
    protocol: str
    labels: tuple[str, ...]
    main: str
    rows: list[Row]
    absent: int

    @property
    def queries(self) -> int:
        """Number of queries that the main label set rates."""
        return len(self.rated())

    @property
    def quality(self) -> Quality:
        """Mean quality by the main label set."""
        return self.mean()

    @property
    def judged(self) -> float | None:
        """Mean number of judged results among the first ten of rated queries; None if the whole gallery is judged."""
        counts = [row.judged for row in self.rated() if row.judged is not None]
        return sum(counts) / len(counts) if counts else None

    @property
    def unrated(self) -> dict[str, str]:
        """The queries whose results have too few judgements, with the reason."""
        return {row.query: row.missing for row in self.rows if row.missing}

    @property
    def localisation(self) -> float | None:
        """Mean over the queries with a known true box; None if there are none."""
        known = [row.localisation for row in self.rows if row.localisation is not None]
        return sum(known) / len(known) if known else None

    @property
    def seconds_p50(self) -> float:
        return float(np.percentile([row.seconds for row in self.rows], 50))

    @property
    def seconds_p95(self) -> float:
        return float(np.percentile([row.seconds for row in self.rows], 95))

    def rated(self, labels: str | None = None) -> list[Row]:
        """Return the queries that a label set (default: the main one) rates."""
        return [row for row in self.rows if (labels or self.main) in row.quality]

    def mean(self, labels: str | None = None) -> Quality:
        """Return the mean quality over `rated`, which must not be empty."""
        return mean_quality([row.quality[labels or self.main] for row in self.rated(labels)])


def evaluate(engine: Engine, gallery: Gallery, dataset: Dataset, ranking: str, progress: Progress) -> Evaluation:
    """Rank the whole gallery for each query, then time each query again, sequentially, with ten hits.

    Raises BadDataset when no relevant image is in the index, a query fails, no query has enough judgements, or there
    are judgements for several label sets.
    """
    _require_one_judged_set(dataset)
    absent = _absent(dataset, gallery)
    rater = pick(PROTOCOLS, "protocol", dataset.protocol)
    answer = make_answer(engine, gallery, 0, ranking)

    def judge(query: BoxedQuery) -> Row | str:
        """Return the row without its time, or the problem."""
        answered = answer(query)
        localisation = _localisation(query.name, answered.hits, dataset)
        row = Row(query.name, dataset.objects[query.name], {}, localisation, 0.0)
        return answered.problem or _rated(row, [hit.image for hit in answered.hits], dataset, rater)

    judged = map_queries(dataset.queries, judge, progress, engine.settings.build.workers)
    problems = [found for found in judged if isinstance(found, str)]
    if problems:
        raise BadDataset(f"{len(problems)} of {len(judged)} queries failed; the first is {problems[0]}")
    reasons = [f"{row.query}: {row.missing}" for row in judged if isinstance(row, Row) and row.missing]
    if len(reasons) == len(judged):
        raise BadDataset(f"No query has enough judged results; the first is {reasons[0]}")
    timed = answer_all(engine, gallery, dataset.queries, 10, ranking, progress)
    rows = [
        replace(row, seconds=answer.seconds) for row, answer in zip(judged, timed, strict=True) if isinstance(row, Row)
    ]
    return Evaluation(dataset.name, dataset.protocol, tuple(dataset.labels), dataset.main, rows, absent)


def _require_one_judged_set(dataset: Dataset) -> None:
    """A row has one number of judged results, so wrong pictures can be listed for a single label set only."""
    if len(dataset.labels) > 1 and any(labels.wrong is not None for labels in dataset.labels.values()):
        raise BadDataset(f"{shown(dataset.name)} lists wrong pictures, so it may have only one label set.")


def _absent(dataset: Dataset, gallery: Gallery) -> int:
    relevant = {image for labels in dataset.labels.values() for images in labels.relevant.values() for image in images}
    absent = relevant - gallery.tables.numbers.keys()
    if absent == relevant:
        raise BadDataset(
            f"No relevant picture of {dataset.name} is in the index, for example {shown(min(absent))}; "
            f"use an index of {dataset.gallery}."
        )
    return len(absent)


def _rated(row: Row, ranking: Sequence[str], dataset: Dataset, rater: Rater) -> Row:
    """Return the row with its quality by label set."""
    labelled = {name: labels for name, labels in dataset.labels.items() if row.query in labels.relevant}
    for name, labels in labelled.items():
        relevant, ignored = labels.relevant[row.query], labels.ignored.get(row.query, set())
        if labels.wrong is None:
            row = replace(row, quality=row.quality | {name: rater(ranking, relevant, ignored)})
        else:
            kept = [image for image in ranking if image not in ignored]
            marks = Judgements(relevant, labels.wrong.get(row.query, set()))
            row = replace(row, judged=marks.judged(kept), missing=marks.missing(kept))
            if not row.missing:
                row = replace(row, quality=row.quality | {name: marks.quality(kept)})
    return row


def _localisation(query: str, hits: Sequence[Hit], dataset: Dataset) -> float | None:
    """Mean IoU over the hits with known true boxes; of several true boxes, the best counts."""
    fits = [
        max(iou(hit.region.box, box) for box in dataset.boxes[query, hit.image])
        for hit in hits
        if (query, hit.image) in dataset.boxes
    ]
    return sum(fits) / len(fits) if fits else None
