"""Clustering metrics of groups against known objects: purity and normalised mutual information."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.groups.groups import Grouped
from retrieval.types import Numbers


@dataclass(frozen=True, slots=True)
class Agreement:
    """Metrics over the images whose object is known; each image counts once, in its main group."""

    groups: int
    """Total number of groups."""
    grouped: float
    """Share of the images that are in a group."""
    purity: float
    """Share of the grouped images that show the most frequent object of their group."""
    nmi: float
    """Normalised mutual information between groups and objects of the grouped images; 1 for a perfect match."""
    nmi_all: float
    """The same over all images; each ungrouped image counts as a group of its own."""


def agreement(grouped: Grouped, objects: Mapping[str, str]) -> Agreement:
    """Compute the metrics. objects: image id -> object."""
    mine = main_group(grouped)
    images = sorted(objects)
    truth = np.unique([objects[image] for image in images], return_inverse=True)[1]
    found = np.array([mine.get(image, -1) for image in images])
    inside = found >= 0
    alone = np.where(inside, found, len(grouped.groups) + np.arange(len(images)))
    return Agreement(
        len(grouped.groups),
        float(inside.mean()),
        purity(truth[inside], found[inside]),
        nmi(truth[inside], found[inside]),
        nmi(truth, alone),
    )


def main_group(grouped: Grouped) -> dict[str, int]:
    """Map each grouped image to the position of the group in which its member is strongest."""
    best: dict[str, tuple[float, int]] = {}
    for place, group in enumerate(grouped.groups):
        for member in group.members:
            if member.strength > best.get(member.image, (-1.0, 0))[0]:
                best[member.image] = member.strength, place
    return {image: place for image, (_, place) in best.items()}


def purity(truth: Numbers, found: Numbers) -> float:
    """Share of N items that belong to the most frequent class of their group. (N,), (N,) -> 0 to 1."""
    return float(_table(truth, found).max(axis=0, initial=0).sum() / max(len(truth), 1))


def nmi(truth: Numbers, found: Numbers) -> float:
    """Mutual information divided by the mean of both entropies (Vinh, Epps and Bailey, 2010). (N,), (N,) -> 0 to 1."""
    together = _table(truth, found) / max(len(truth), 1)
    both = _entropy(together.sum(axis=1)) + _entropy(together.sum(axis=0))
    return 2 * (1 - _entropy(together.ravel()) / both) if both > 0 else 1.0


def _table(truth: Numbers, found: Numbers) -> NDArray[np.float64]:
    """Contingency table of classes (rows) and groups (columns)."""
    classes, of_class = np.unique(truth, return_inverse=True)
    groups, of_group = np.unique(found, return_inverse=True)
    counts = np.bincount(of_class * len(groups) + of_group, minlength=len(classes) * len(groups))
    return counts.reshape(len(classes), len(groups)).astype(np.float64)


def _entropy(shares: NDArray[np.float64]) -> float:
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
