"""How well, and how fast, an index finds what a labelled data set says is there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from boxfind.engine import Engine
from boxfind.evaluation.batch import answer_all, answerer, for_each
from boxfind.evaluation.dataset import BoxedQuery, Dataset
from boxfind.evaluation.metrics import PROTOCOLS, Quality, Rater, mean_quality
from index.gallery import Gallery
from retrieval.errors import BadTable, pick
from retrieval.printable_names import shown
from retrieval.types import Hit, Progress, iou


@dataclass(frozen=True, slots=True)
class Row:
    """One query: its quality by each set of labels that rates it, and the seconds from decoded picture to ten hits.

    `localisation` is the mean IoU of the matched boxes with the true ones, None where no true box is known.
    """

    query: str
    object: str
    quality: dict[str, Quality]
    localisation: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found out about one data set; `absent` relevant pictures are not in the index and count as missed."""

    dataset: str
    protocol: str
    labels: tuple[str, ...]
    main: str
    rows: list[Row]
    absent: int

    @property
    def queries(self) -> int:
        """How many the main figures are the mean of."""
        return len(self.rated())

    @property
    def quality(self) -> Quality:
        """The mean by the main labels."""
        return self.mean()

    @property
    def localisation(self) -> float | None:
        """The mean over the queries that have one."""
        known = [row.localisation for row in self.rows if row.localisation is not None]
        return sum(known) / len(known) if known else None

    @property
    def seconds_p50(self) -> float:
        return float(np.percentile([row.seconds for row in self.rows], 50))

    @property
    def seconds_p95(self) -> float:
        return float(np.percentile([row.seconds for row in self.rows], 95))

    def rated(self, labels: str | None = None, objects: Collection[str] | None = None) -> list[Row]:
        """The queries that a set of labels rates, the main one if none is named; of these objects only, if given."""
        name = self.main if labels is None else labels
        return [row for row in self.rows if name in row.quality and (objects is None or row.object in objects)]

    def mean(self, labels: str | None = None, objects: Collection[str] | None = None) -> Quality:
        """The mean over those. Raises BadTable when there are none."""
        name = self.main if labels is None else labels
        rows = self.rated(name, objects)
        if not rows:
            raise BadTable(f"No query of {self.dataset} shows one of these objects.")
        return mean_quality([row.quality[name] for row in rows])


def evaluate(engine: Engine, gallery: Gallery, dataset: Dataset, ranking: str, progress: Progress) -> Evaluation:
    """Each query ranks the whole gallery; then each is asked again for ten hits, one after the other, for the time.

    Raises BadTable.
    """
    absent = _absent(dataset, gallery)
    rater = pick(PROTOCOLS, "protocol", dataset.protocol)
    answer = answerer(engine, gallery, 0, ranking)

    def judge(query: BoxedQuery) -> "_Judged":
        answered = answer(query)
        return _Judged(
            _qualities(query.name, answered.hits, dataset, rater),
            _localisation(query.name, answered.hits, dataset),
            answered.problem,
        )

    judged = for_each(dataset.queries, judge, progress, engine.settings.build.workers)
    _refuse_problems(judged)
    timed = answer_all(engine, gallery, dataset.queries, 10, ranking, progress)
    rows = [
        Row(answer.query, dataset.objects[answer.query], found.quality, found.localisation, answer.seconds)
        for answer, found in zip(timed, judged, strict=True)
    ]
    return Evaluation(dataset.name, dataset.protocol, tuple(dataset.labels), dataset.main, rows, absent)


@dataclass(frozen=True, slots=True)
class _Judged:
    quality: dict[str, Quality]
    localisation: float | None
    problem: str


def _absent(dataset: Dataset, gallery: Gallery) -> int:
    relevant = {image for labels in dataset.labels.values() for images in labels.relevant.values() for image in images}
    absent = relevant - gallery.tables.numbers.keys()
    if absent == relevant:
        raise BadTable(
            f"No relevant picture of {dataset.name} is in the index, {shown(min(absent))} for one; "
            f"the index must be built over {dataset.gallery}."
        )
    return len(absent)


def _qualities(query: str, hits: Sequence[Hit], dataset: Dataset, rater: Rater) -> dict[str, Quality]:
    ranking = [hit.image for hit in hits]
    return {
        name: rater(ranking, labels.relevant[query], labels.ignored.get(query, ()))
        for name, labels in dataset.labels.items()
        if query in labels.relevant
    }


def _localisation(query: str, hits: Sequence[Hit], dataset: Dataset) -> float | None:
    """Over the hits whose true boxes are known; of several boxes, the one that fits best counts."""
    fits = [
        max(iou(hit.region.box, box) for box in dataset.boxes[query, hit.image])
        for hit in hits
        if (query, hit.image) in dataset.boxes
    ]
    return sum(fits) / len(fits) if fits else None


def _refuse_problems(judged: Sequence[_Judged]) -> None:
    problems = [found.problem for found in judged if found.problem]
    if problems:
        raise BadTable(f"{len(problems)} of {len(judged)} queries cannot be answered; the first is {problems[0]}")
