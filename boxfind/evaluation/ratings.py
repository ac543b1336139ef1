"""Rate rankings by the marks that users left on the results of saved searches.

In a search, marks refine the query (relevance feedback). Here they are the ground truth: each search is run without
its marks, and its ranking of the whole gallery is compared with them. Results without a mark do not count, and a search
with too few marks among its first results is not rated (boxfind/evaluation/judged_results.py).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from boxfind.evaluation.judged_results import Judgements
from boxfind.evaluation.metrics import Quality
from index.storage.tables import Tables
from retrieval.errors import BadBox, UnreadableImage
from retrieval.request import Request
from retrieval.types import Progress

ENOUGH = 5
"""Minimum number of searches for a confidence interval."""
RESAMPLES = 10_000
SAME = 1e-9
"""Average precisions that differ by less than this count as ties."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A named search with its marks; `own` are gallery copies of its query images, which are ignored."""

    name: str
    request: Request
    own: tuple[str, ...] = ()

    @property
    def positives(self) -> set[str]:
        """The relevant images: those marked as right, without the query images."""
        return set(self.request.positives).difference(self.own)

    @property
    def negatives(self) -> set[str]:
        """The images marked as wrong, without the query images."""
        return set(self.request.negatives).difference(self.own)

    @property
    def problem(self) -> str:
        """Why this search cannot be used for rating; empty if it can."""
        return "" if self.request.examples else "It has no box yet."

    @property
    def missing(self) -> str:
        """Which mark it needs before its results are looked at; empty if it has one."""
        if not self.request.positives:
            return "No result is marked as right."
        return "" if self.positives else "Only the query picture itself is marked as right."


@dataclass(frozen=True, slots=True)
class Rating:
    """The quality of one ranking on one search."""

    name: str
    quality: Quality
    positives: int
    """Number of relevant images."""
    judged: int
    """Number of marked images among the first ten."""
    missing: str = ""
    """Which marks a rating needs. The quality means nothing if this is not empty."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """Ratings by ranking, of the same searches in the same order.

    Other searches have a reason: they need marks (`unmarked`) or cannot be rated at all (`unrated`).
    """

    by_ranking: dict[str, list[Rating]]
    unrated: dict[str, str]
    unmarked: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(next(iter(self.by_ranking.values()), []))


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over searches, with its 95 % bootstrap interval, None for too few searches."""

    value: float
    bounds: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Number of searches that the first ranking wins, loses and ties by average precision, and the mean difference."""

    wins: int
    losses: int
    ties: int
    mean: Mean


def judged(requests: Mapping[str, Request], tables: Tables) -> list[Judged]:
    """Pair named searches with the gallery copies of all their query images."""
    wanted = {example.picture for request in requests.values() for example in request.examples}
    copies: dict[str, list[str]] = defaultdict(list)
    for image, sha256 in zip(tables.ids, tables.images["sha256"].to_pylist(), strict=True):
        if sha256 in wanted:
            copies[sha256].append(image)
    return [
        Judged(name, request, tuple(sorted({image for e in request.examples for image in copies[e.picture]})))
        for name, request in requests.items()
    ]


def question(search: Judged, ranking: str) -> Request:
    """Return the search without its marks, with the ranking to rate."""
    return replace(search.request, ranking=ranking, positives=(), negatives=())


def rating(search: Judged, answer: Sequence[str]) -> Rating:
    """Rate result images, best first; at least one must be marked as right. One that is not found contributes 0."""
    kept = [image for image in answer if image not in search.own]
    marks = Judgements(search.positives, search.negatives)
    return Rating(search.name, marks.quality(kept), len(marks.right), marks.judged(kept), marks.missing(kept))


def rate_all(
    searches: Sequence[Judged],
    rankings: Sequence[str],
    rated: Callable[[Judged, str], Rating],
    progress: Progress,
) -> Ratings:
    """Rate every search with every ranking by calling `rated`; failing searches are listed as unrated.

    A search is rated if the first results of every ranking have enough marks.
    """
    found: dict[str, list[Rating]] = {ranking: [] for ranking in rankings}
    unrated = {search.name: search.problem for search in searches if search.problem}
    unmarked = {search.name: search.missing for search in searches if search.missing and not search.problem}
    ratable = [search for search in searches if not search.problem and not search.missing]
    for done, search in enumerate(ratable, start=1):
        try:
            of_search = [rated(search, ranking) for ranking in rankings]
        except (UnreadableImage, BadBox) as error:
            unrated[search.name] = str(error)
        else:
            missing = next((one.missing for one in of_search if one.missing), "")
            if missing:
                unmarked[search.name] = missing
            else:
                for ranking, one in zip(rankings, of_search, strict=True):
                    found[ranking].append(one)
        progress("Running the saved searches", done, len(ratable))
    return Ratings(found, unrated, unmarked)


def mean(values: Sequence[float]) -> Mean:
    """Mean with percentile bootstrap interval; deterministic. `values` must not be empty."""
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) < ENOUGH:
        return Mean(float(sample.mean()), None)
    chosen = np.random.default_rng(0).integers(len(sample), size=(RESAMPLES, len(sample)))
    low, high = np.percentile(sample[chosen].mean(axis=1), [2.5, 97.5])
    return Mean(float(sample.mean()), (float(low), float(high)))


def compare(first: Sequence[Rating], second: Sequence[Rating]) -> Comparison:
    """Compare the average precision of two rankings of the same searches, in the same order; at least one search.

    The interval is from a paired bootstrap: both rankings are resampled together.
    """
    pairs = zip(first, second, strict=True)
    differences = [one.quality.average_precision - other.quality.average_precision for one, other in pairs]
    wins = sum(difference > SAME for difference in differences)
    losses = sum(difference < -SAME for difference in differences)
    return Comparison(wins, losses, len(differences) - wins - losses, mean(differences))
