"""Rate rankings by the marks that users left on the results of saved searches.

In a search, marks refine the query (relevance feedback). Here they are the ground truth: each search is run without
its marks, and its ranking of the whole gallery is compared with them.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from boxfind.evaluation.metrics import Quality, rate
from index.storage.tables import Tables
from retrieval.errors import BadBox, UnreadableImage
from retrieval.request import Request
from retrieval.types import Progress

FIRST = 10
"""Number of top results in which unmarked images are counted."""
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
    def problem(self) -> str:
        """Why this search cannot be used for rating; empty if it can."""
        if not self.request.examples:
            return "It has no box yet."
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
    unmarked: int
    """Unmarked images among the first ten; they count as wrong."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """Ratings by ranking, of the same searches in the same order; `unrated` maps other searches to the reason."""

    by_ranking: dict[str, list[Rating]]
    unrated: dict[str, str]

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
    """Rate result images, best first; the search must have no `problem`. Missing relevant images contribute 0."""
    kept = [image for image in answer if image not in search.own]
    marked = search.request.positives + search.request.negatives
    unmarked = sum(image not in marked for image in kept[:FIRST])
    return Rating(search.name, rate(kept, search.positives), len(search.positives), unmarked)


def rate_all(
    searches: Sequence[Judged],
    rankings: Sequence[str],
    rated: Callable[[Judged, str], Rating],
    progress: Progress,
) -> Ratings:
    """Rate every search with every ranking by calling `rated`; failing searches are listed as unrated."""
    found: dict[str, list[Rating]] = {ranking: [] for ranking in rankings}
    unrated = {search.name: search.problem for search in searches if search.problem}
    ratable = [search for search in searches if not search.problem]
    for done, search in enumerate(ratable, start=1):
        try:
            of_search = [rated(search, ranking) for ranking in rankings]
        except (UnreadableImage, BadBox) as error:
            unrated[search.name] = str(error)
        else:
            for ranking, one in zip(rankings, of_search, strict=True):
                found[ranking].append(one)
        progress("Running the saved searches", done, len(ratable))
    return Ratings(found, unrated)


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
