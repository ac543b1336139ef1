"""Clustering metrics of groups against known objects: purity and normalised mutual information."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

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
        float(normalized_mutual_info_score(truth[inside], found[inside])),
        float(normalized_mutual_info_score(truth, alone)),
    )


def main_group(grouped: Grouped) -> dict[str, int]:
    """Map each grouped image to the position of the group in which its member is strongest."""
    members = [(member, place) for place, group in enumerate(grouped.groups) for member in group.members]
    weakest_first = sorted(members, key=lambda pair: (pair[0].strength, -pair[1]))
    return {member.image: place for member, place in weakest_first}


def purity(truth: Numbers, found: Numbers) -> float:
    """Share of N items that belong to the most frequent class of their group. (N,), (N,) -> 0 to 1."""
    return float(contingency_matrix(truth, found).max(axis=0).sum() / len(truth)) if len(truth) else 0.0
