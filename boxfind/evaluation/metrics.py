"""How good a ranking is: average precision, precision and recall at k; and how well one box fits another.

A ranking is a list of image ids, best first. Most measures look at the places of the relevant images only: 1-based,
ascending, as `places` finds them.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

Rater = Callable[[Sequence[str], Collection[str], Collection[str]], "Quality"]


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one query, or the mean over many; each value lies between 0 and 1."""

    average_precision: float
    precision_at_1: float
    precision_at_5: float
    precision_at_10: float
    recall_at_10: float
    recall_at_100: float


def places(ranking: Sequence[str], relevant: Collection[str], ignored: Collection[str] = ()) -> list[int]:
    """Where the relevant images stand, 1-based, ascending.

    Ignored images are taken out before anything is counted; an image that is listed twice counts at its first place.
    """
    kept = (image for image in dict.fromkeys(ranking) if image not in ignored)
    return [place for place, image in enumerate(kept, start=1) if image in relevant]


def average_precision(at: Sequence[int], total: int) -> float:
    """The mean over all `total` > 0 relevant images of the precision at the place where each is found.

    One that is never found adds nothing. For a ranking of everything this is scikit-learn's average_precision_score.
    """
    return sum(found / place for found, place in enumerate(at, start=1)) / total


def trapezoidal_average_precision(at: Sequence[int], total: int) -> float:
    """The area under the precision-recall curve by the trapezoidal rule, as revisited Oxford and Paris have it.

    Each relevant image adds the mean of the precision just before it and at it; before the first place precision is
    1. Never more than `average_precision`. Radenović et al., CVPR 2018.
    """
    before = (1.0 if place == 1 else found / (place - 1) for found, place in enumerate(at))
    return (average_precision(at, total) + sum(before) / total) / 2


def precision_at(k: int, at: Sequence[int], total: int) -> float:
    """The share of relevant images among the first k, against what was possible: 4 of 4 found are 1 at any k >= 4."""
    return _within(k, at) / min(k, total)


def revisited_precision_at(k: int, at: Sequence[int]) -> float:
    """The same as revisited Oxford and Paris have it: the k is cut to the place of the last relevant image found."""
    cut = min(k, max(at, default=k))
    return _within(cut, at) / cut


def recall_at(k: int, at: Sequence[int], total: int) -> float:
    """The share of all relevant images that stand among the first k."""
    return _within(k, at) / total


def rate(ranking: Sequence[str], relevant: Collection[str], ignored: Collection[str] = ()) -> Quality:
    """The quality of one ranking; `relevant` must not be empty. Average precision is the rectangular one."""
    at, total = places(ranking, relevant, ignored), len(relevant)
    return Quality(
        average_precision(at, total),
        precision_at(1, at, total),
        precision_at(5, at, total),
        precision_at(10, at, total),
        recall_at(10, at, total),
        recall_at(100, at, total),
    )


def rate_revisited(ranking: Sequence[str], relevant: Collection[str], ignored: Collection[str] = ()) -> Quality:
    """The same by the published protocol of revisited Oxford and Paris: other average precision, other precision."""
    at, total = places(ranking, relevant, ignored), len(relevant)
    return Quality(
        trapezoidal_average_precision(at, total),
        revisited_precision_at(1, at),
        revisited_precision_at(5, at),
        revisited_precision_at(10, at),
        recall_at(10, at, total),
        recall_at(100, at, total),
    )


PROTOCOLS: dict[str, Rater] = {"rectangular": rate, "revisited": rate_revisited}
"""How rankings are rated; figures of different protocols must not be compared."""


def mean_quality(qualities: Sequence[Quality]) -> Quality:
    """The mean of each value; that of the average precisions is mAP. `qualities` must not be empty."""
    count = len(qualities)
    return Quality(
        sum(q.average_precision for q in qualities) / count,
        sum(q.precision_at_1 for q in qualities) / count,
        sum(q.precision_at_5 for q in qualities) / count,
        sum(q.precision_at_10 for q in qualities) / count,
        sum(q.recall_at_10 for q in qualities) / count,
        sum(q.recall_at_100 for q in qualities) / count,
    )


def _within(k: int, at: Sequence[int]) -> int:
    return sum(place <= k for place in at)
