"""Ranking metrics: average precision, precision at k and recall at k, under three protocols.

A ranking is a list of image ids, best first. Most metrics take only the ranks of the relevant images, 1-based and
ascending, as `places` returns them.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import astuple, dataclass

Rater = Callable[[Sequence[str], Collection[str], Collection[str]], "Quality"]


@dataclass(frozen=True, slots=True)
class Quality:
    """The metrics of one query, or their means over many queries; each from 0 to 1."""

    average_precision: float
    precision_at_1: float
    precision_at_5: float
    precision_at_10: float
    recall_at_10: float
    recall_at_100: float


def places(ranking: Sequence[str], relevant: Collection[str], ignored: Collection[str] = ()) -> list[int]:
    """Return the ranks of the relevant images, 1-based, ascending.

    Ignored images are removed first. An image listed twice counts at its first position.
    """
    kept = (image for image in dict.fromkeys(ranking) if image not in ignored)
    return [place for place, image in enumerate(kept, start=1) if image in relevant]


def average_precision(at: Sequence[int], total: int) -> float:
    """Mean of the precision at the rank of each of the `total` > 0 relevant images.

    A relevant image that is not found contributes 0. For a full ranking this equals scikit-learn's
    average_precision_score.
    """
    return sum(found / place for found, place in enumerate(at, start=1)) / total


def trapezoidal_average_precision(at: Sequence[int], total: int) -> float:
    """Area under the precision-recall curve by the trapezoidal rule, as in revisited Oxford and Paris.

    Each relevant image contributes the mean of the precision before it and at it; before rank 1 the precision is 1.
    Never exceeds `average_precision`. Radenović et al., CVPR 2018.
    """
    before = (1.0 if place == 1 else found / (place - 1) for found, place in enumerate(at))
    return (average_precision(at, total) + sum(before) / total) / 2


def precision_at(k: int, at: Sequence[int], total: int) -> float:
    """Relevant images among the first k, divided by min(k, total): 4 of 4 found gives 1 for any k >= 4."""
    return _within(k, at) / min(k, total)


def revisited_precision_at(k: int, at: Sequence[int]) -> float:
    """Precision at k as in revisited Oxford and Paris: k is capped at the rank of the last relevant image found."""
    cut = min(k, max(at, default=k))
    return _within(cut, at) / cut


def recall_at(k: int, at: Sequence[int], total: int) -> float:
    """Share of all relevant images that are among the first k."""
    return _within(k, at) / total


def rate(ranking: Sequence[str], relevant: Collection[str], ignored: Collection[str] = ()) -> Quality:
    """Rate one ranking with rectangular average precision; `relevant` must not be empty."""
    at, total = places(ranking, relevant, ignored), len(relevant)
    precisions = [precision_at(k, at, total) for k in (1, 5, 10)]
    recalls = [recall_at(k, at, total) for k in (10, 100)]
    return Quality(average_precision(at, total), *precisions, *recalls)


def rate_revisited(ranking: Sequence[str], relevant: Collection[str], ignored: Collection[str] = ()) -> Quality:
    """Rate one ranking by the protocol of revisited Oxford and Paris (trapezoidal AP, capped precision at k)."""
    at, total = places(ranking, relevant, ignored), len(relevant)
    precisions = [revisited_precision_at(k, at) for k in (1, 5, 10)]
    recalls = [recall_at(k, at, total) for k in (10, 100)]
    return Quality(trapezoidal_average_precision(at, total), *precisions, *recalls)


def rate_judged(ranking: Sequence[str], relevant: Collection[str], ignored: Collection[str] = ()) -> Quality:
    """Rate a ranking of judged images only (condensed list; Sakai, SIGIR 2007).

    Precision at k is the share of relevant images among the first k, however many there are in all.
    """
    at, total = places(ranking, relevant, ignored), len(relevant)
    length = len(set(ranking).difference(ignored))
    precisions = [_within(k, at) / max(min(k, length), 1) for k in (1, 5, 10)]
    recalls = [recall_at(k, at, total) for k in (10, 100)]
    return Quality(average_precision(at, total), *precisions, *recalls)


PROTOCOLS: dict[str, Rater] = {"rectangular": rate, "revisited": rate_revisited, "judged": rate_judged}
"""Rating functions by protocol; figures of different protocols are not comparable."""


def mean_quality(qualities: Sequence[Quality]) -> Quality:
    """Return the mean of each metric; the mean average precision is mAP. `qualities` must not be empty."""
    return Quality(*(sum(metric) / len(qualities) for metric in zip(*map(astuple, qualities), strict=True)))


def _within(k: int, at: Sequence[int]) -> int:
    return sum(place <= k for place in at)
