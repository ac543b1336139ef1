"""How good a ranking is, measured the way the revisited Oxford benchmark does it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one query, or the mean over many; each value lies between 0 and 1."""

    average_precision: float
    precision_at_10: float
    recall_at_100: float


def rate(ranking: Sequence[str], relevant: Collection[str], ignored: Collection[str] = ()) -> Quality:
    """The quality of one ranking of image ids, best first.

    Average precision is the mean over all relevant images of the precision at the rank where each is found; one that
    is never found adds nothing. Ignored images are taken out before anything is counted. Precision at 10 counts
    against what was possible: with 4 relevant images, 4 found are 1.0.
    """
    found, precisions, in_10, in_100 = 0, 0.0, 0, 0
    place = 0
    for image in dict.fromkeys(ranking):
        if image in ignored:
            continue
        place += 1
        if image in relevant:
            found += 1
            precisions += found / place
            in_10 += place <= 10
            in_100 += place <= 100
    total = len(relevant)
    return Quality(precisions / total, in_10 / min(10, total), in_100 / total)


def mean_quality(qualities: Sequence[Quality]) -> Quality:
    """The mean of each value; that of the average precisions is mAP."""
    count = len(qualities)
    return Quality(
        sum(q.average_precision for q in qualities) / count,
        sum(q.precision_at_10 for q in qualities) / count,
        sum(q.recall_at_100 for q in qualities) / count,
    )
