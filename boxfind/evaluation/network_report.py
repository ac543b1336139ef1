"""Format a comparison of networks as text or for JSON, and say which one is better."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from boxfind.evaluation.compare_networks import RANKINGS, TOP, Network, shared_hits
from boxfind.evaluation.ratings import Mean, mean
from boxfind.evaluation.report import aligned

NO_CLEAR_DIFFERENCE = "no clear difference"


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much a figure of the first network is above that of the second, on the same queries."""

    figure: str
    ranking: str
    first: str
    second: str
    mean: Mean

    @property
    def is_clear(self) -> bool:
        """Whether the 95 % interval leaves out 0."""
        return self.mean.bounds is not None and not self.mean.bounds[0] <= 0 <= self.mean.bounds[1]

    @property
    def verdict(self) -> str:
        if self.mean.bounds is None:
            return "too few queries"
        return (
            f"{self.first if self.mean.value > 0 else self.second} is better" if self.is_clear else NO_CLEAR_DIFFERENCE
        )


def per_query(network: Network, ranking: str) -> dict[str, float]:
    """Query -> its part of the figure that decides: average precision with labels, else 1 where P@1 counts it."""
    if network.evaluations:
        found = network.evaluations[ranking]
        return {row.query: row.quality[found.main].average_precision for row in found.rated()}
    return {str(number): float(rank == 1) for number, rank in enumerate(network.found[ranking].ranks)}


def difference(first: Network, second: Network, ranking: str) -> Difference:
    """The mean difference over the queries that both have, with its interval from a paired bootstrap."""
    one, other = per_query(first, ranking), per_query(second, ranking)
    figure = "mAP" if first.evaluations else "P@1"
    return Difference(
        figure, ranking, first.name, second.name, mean([one[query] - other[query] for query in one if query in other])
    )


def verdict(networks: Sequence[Network], switch: Callable[[str], str]) -> str:
    """Say which network is better. `switch`: network -> sentence on how to use it.

    With labels `best` decides, the ranking of the page, and without them `fast`: keypoints, which `best` compares, find
    the photograph that a crop is cut from with almost any network. If that shows no difference, the other one decides.
    """
    rankings = ("best", "fast") if networks[0].evaluations else ("fast", "best")
    for ranking in rankings:
        leader, others = _ordered(networks, ranking)
        found = [difference(leader, other, ranking) for other in others]
        if all(one.is_clear and one.mean.value > 0 for one in found):
            against = ", ".join(f"{_figure(other, ranking):.3f} of {other.name}" for other in others)
            value = f"{found[0].figure} with {ranking} is {_figure(leader, ranking):.3f} against {against}"
            return f"{leader.name} is better here: {value}. {switch(leader.name)}".rstrip()
    leader, others = _ordered(networks, rankings[0])
    tied = [leader, *(other for other in others if not difference(leader, other, rankings[0]).is_clear)]
    names = " and ".join(network.name for network in tied)
    return f"There is {NO_CLEAR_DIFFERENCE} between {names} on these pictures; choose by speed and size."


def as_text(networks: Sequence[Network]) -> str:
    """Format the figures of each network, then what each two have in common and how they differ."""
    columns = list(_row(networks[0]))
    figures = aligned([columns, *(_cells(_row(network)) for network in networks)])
    pairs = [["first", "second", "ranking", f"same of {TOP}", "difference", "95 % interval", ""]]
    for one, shared in _pairs(networks):
        low, high = one.mean.bounds or (float("nan"), float("nan"))
        value, interval = f"{one.figure} {one.mean.value:+.3f}", f"{low:+.3f} to {high:+.3f}"
        pairs.append([one.first, one.second, one.ranking, f"{shared:.1f}", value, interval, one.verdict])
    return f"{figures}\n\n{aligned(pairs)}"


def as_dict(networks: Sequence[Network]) -> dict[str, Any]:
    """Return plain values for JSON."""
    return {
        "crops": len(networks[0].found["fast"].ranks),
        "networks": [_row(network) for network in networks],
        "pairs": [
            {
                "first": one.first,
                "second": one.second,
                "ranking": one.ranking,
                f"same of {TOP}": round(shared, 2),
                "figure": one.figure,
                "difference": round(one.mean.value, 4),
                "interval": one.mean.bounds and [round(bound, 4) for bound in one.mean.bounds],
                "verdict": one.verdict,
            }
            for one, shared in _pairs(networks)
        ],
    }


def _pairs(networks: Sequence[Network]) -> list[tuple[Difference, float]]:
    """For each two networks and each ranking their difference, and how many hits of a crop they share."""
    return [
        (difference(first, second, ranking), _shared(first, second, ranking))
        for first, second in combinations(networks, 2)
        for ranking in RANKINGS
    ]


def _shared(first: Network, second: Network, ranking: str) -> float:
    return float(shared_hits(first.found[ranking].hits, second.found[ranking].hits).mean())


def _ordered(networks: Sequence[Network], ranking: str) -> tuple[Network, list[Network]]:
    """The network with the highest figure, and the others."""
    leader, *others = sorted(networks, key=lambda network: -_figure(network, ranking))
    return leader, others


def _figure(network: Network, ranking: str) -> float:
    return float(np.mean(list(per_query(network, ranking).values())))


def _cells(row: dict[str, Any]) -> list[str]:
    """The figures as text: shares with three digits, speeds and sizes with one."""
    digits = {column: 1 if column.endswith((" ms", "/s", "/picture")) else 3 for column in row}
    return [f"{value:.{digits[column]}f}" if isinstance(value, float) else str(value) for column, value in row.items()]


def _row(network: Network) -> dict[str, Any]:
    """The figures of one network by column."""
    row: dict[str, Any] = {
        "network": network.name,
        "pictures": network.pictures,
        "pictures/s": round(network.pictures_a_second, 1),
        "KB/picture": round(network.vector_bytes / 1000, 1),
    }
    for ranking, found in network.found.items():
        ranks = found.ranks.astype(np.float64)
        row[f"{ranking} P@1"] = round(float((ranks == 1).mean()), 3)
        row[f"{ranking} MRR"] = round(float(np.divide(1, ranks, out=np.zeros(len(ranks)), where=ranks > 0).mean()), 3)
        if network.evaluations:
            quality = network.evaluations[ranking].quality
            row[f"{ranking} mAP"] = round(quality.average_precision, 3)
            row[f"{ranking} P@10"] = round(quality.precision_at_10, 3)
        row[f"{ranking} ms"] = round(1000 * float(np.median(found.seconds)), 1)
    return row
