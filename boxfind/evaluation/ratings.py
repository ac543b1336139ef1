"""How good rankings are by the marks that people left on the results of their searches.

While one searches, marks refine the query. Here they are the truth and no part of the question: every search is asked
without them, and its ranking of the whole gallery is compared with them.
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
"""Places of a ranking in which unmarked pictures are counted."""
ENOUGH = 5
"""Searches below which an interval would say nothing."""
RESAMPLES = 10_000
SAME = 1e-9
"""Average precisions that differ by less differ by rounding."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A named search with its marks; `own` are the gallery images that were searched with, and count neither way."""

    name: str
    request: Request
    own: tuple[str, ...] = ()

    @property
    def positives(self) -> set[str]:
        """The images that should be found."""
        return set(self.request.positives).difference(self.own)

    @property
    def marked(self) -> set[str]:
        return set(self.request.positives + self.request.negatives)

    @property
    def problem(self) -> str:
        """Why no ranking can be rated by it; empty when one can."""
        if not self.request.examples:
            return "It has no box yet."
        if not self.request.positives:
            return "No result is marked as right."
        return "" if self.positives else "Only the picture searched with is marked as right."


@dataclass(frozen=True, slots=True)
class Rating:
    """How well one ranking answers one search."""

    name: str
    quality: Quality
    positives: int
    """Images that should be found."""
    unmarked: int
    """Images among the first ten of which nobody said anything; they count as wrong."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """The same searches, in the same order, by each of several rankings; and why the others were not rated, by name."""

    by_ranking: dict[str, list[Rating]]
    unrated: dict[str, str]

    @property
    def count(self) -> int:
        return len(next(iter(self.by_ranking.values()), []))


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over searches, and the bounds of its 95 % bootstrap interval; None where there are too few searches."""

    value: float
    bounds: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """By how much one ranking's average precision is above another's: in each search, by name, and in the mean."""

    differences: dict[str, float]
    mean: Mean

    @property
    def wins(self) -> int:
        return sum(difference > SAME for difference in self.differences.values())

    @property
    def losses(self) -> int:
        return sum(difference < -SAME for difference in self.differences.values())

    @property
    def ties(self) -> int:
        return len(self.differences) - self.wins - self.losses


def judged(requests: Mapping[str, Request], tables: Tables) -> list[Judged]:
    """Named searches over a gallery. Every copy of a picture searched with is an own one, and every box's picture."""
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
    """What is asked to rate a ranking: the search as it was before anybody marked anything."""
    return replace(search.request, ranking=ranking, positives=(), negatives=())


def rating(search: Judged, answer: Sequence[str]) -> Rating:
    """Rates the images of an answer, best first; the search must have no `problem`. An image not found adds nothing."""
    kept = [image for image in answer if image not in search.own]
    unmarked = sum(image not in search.marked for image in kept[:FIRST])
    return Rating(search.name, rate(kept, search.positives), len(search.positives), unmarked)


def rate_all(
    searches: Sequence[Judged],
    rankings: Sequence[str],
    rated: Callable[[Judged, str], Rating],
    progress: Progress,
) -> Ratings:
    """Every search by every ranking, through `rated`; one that cannot be answered costs only itself."""
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
        progress("Asking the saved searches again", done, len(ratable))
    return Ratings(found, unrated)


def mean(values: Sequence[float]) -> Mean:
    """`values` must not be empty. The interval is the percentile bootstrap's over the values, the same every time."""
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) < ENOUGH:
        return Mean(float(sample.mean()), None)
    chosen = np.random.default_rng(0).integers(len(sample), size=(RESAMPLES, len(sample)))
    low, high = np.percentile(sample[chosen].mean(axis=1), [2.5, 97.5])
    return Mean(float(sample.mean()), (float(low), float(high)))


def compare(first: Sequence[Rating], second: Sequence[Rating]) -> Comparison:
    """The first ranking's average precision less the second's, over the searches that both have; there must be one.

    The interval is that of a paired bootstrap: both rankings are resampled together.
    """
    others = {other.name: other.quality.average_precision for other in second}
    differences = {one.name: one.quality.average_precision - others[one.name] for one in first if one.name in others}
    return Comparison(differences, mean(list(differences.values())))
