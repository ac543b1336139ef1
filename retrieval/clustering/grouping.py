"""ObjectInstances that look alike, put into groups: what the catalogue page shows."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from retrieval.clustering.linkage import average_linkage, between_others, strongest
from retrieval.clustering.object_instances import ObjectInstances
from retrieval.errors import pick
from retrieval.types import Numbers, Scores, Vectors, unit

LIKENESS = 0.5
"""How alike the instances of a group are by default, on average; benchmarks/RESULTS.md has the reasons."""
FEWEST = 3
"""Pictures that make a group."""
ALIKE_WITH = 60
"""ObjectInstances that a instance is compared with at most: those that are most like it."""
FAINT = 0.02
"""Likeness that does not matter."""
BLOCK = 2000
OF_A_CENTRE = 8
ROUNDS = 20

Grouping = Callable[[ObjectInstances, Vectors, float], Numbers]
"""Object instances (S,), descriptors (S, D) and a likeness, 0 to 1 -> the group number of each instance, (S,)."""


def group_instances(
    instances: ObjectInstances, vectors: Vectors, likeness: float = LIKENESS, grouping: str = "linkage"
) -> Numbers:
    """The group of each instance, (S,), -1 for none. Groups are of at least FEWEST pictures; the largest has number 0.

    Of a picture that has several instances in a group only the strongest stays in it. Raises UnknownName.
    """
    groups = pick(GROUPINGS, "grouping", grouping)(instances, vectors, likeness)
    order = np.lexsort((-instances.strengths, instances.images, groups))
    again = (np.diff(groups[order]) == 0) & (np.diff(instances.images[order]) == 0)
    alone = np.zeros(len(groups), bool)
    alone[order[1:][again]] = True
    sizes = np.bincount(groups[~alone], minlength=int(groups.max(initial=-1)) + 1)
    ranks = np.argsort(np.argsort(-sizes, kind="stable"))
    return np.where(alone | (sizes[groups] < FEWEST), -1, ranks[groups])


def typical(instances: ObjectInstances, groups: Numbers) -> Scores:
    """How like the other instances of its group each instance is, on average, (S,), 0 to 1; 0 for those in no group."""
    grouped = np.flatnonzero(groups >= 0)
    found = np.zeros(len(groups), np.float32)
    if not len(grouped):
        return found
    inside, profiles = groups[grouped], instances.profiles[grouped]
    sizes = np.bincount(inside)
    into = sparse.csr_array((np.ones(len(inside), np.float32), (inside, np.arange(len(inside)))))
    sums = sparse.csr_array(into @ profiles)
    with_all = np.asarray(profiles.multiply(sums[inside]).sum(axis=1))
    found[grouped] = (with_all - 1) / np.maximum(sizes[inside] - 1, 1)  # each is wholly like itself
    return np.clip(found, 0, 1)


def linkage(instances: ObjectInstances, vectors: Vectors, likeness: float) -> Numbers:
    """Average linkage: instances of a group are alike by `likeness` on average. Descriptors are not looked at again."""
    return average_linkage(shared_neighbours(instances), likeness)


def k_means(instances: ObjectInstances, vectors: Vectors, likeness: float) -> Numbers:
    """Spherical k-means, one centre for every eight instances; an instance below that cosine stays alone."""
    count = -(-len(vectors) // OF_A_CENTRE)
    centres = vectors[np.random.default_rng(0).permutation(len(vectors))[:count]]
    for _ in range(ROUNDS):
        nearest, cosines = _nearest(vectors, centres)
        into = sparse.csr_array((np.ones(len(nearest)), (nearest, np.arange(len(nearest)))), (count, len(nearest)))
        centres = unit(into @ vectors)
    return np.where(cosines >= likeness, nearest, count + np.arange(len(vectors)))


def shared_neighbours(instances: ObjectInstances) -> sparse.csr_array:
    """(S, S) symmetric: how far instances lead to the same pictures; of each instance those that are most like it."""
    across = sparse.csr_array(instances.profiles.T)
    blocks = [sparse.csr_array((0, len(instances.images)), dtype=np.float32)]
    for start in range(0, len(instances.images), BLOCK):
        alike = sparse.csr_array(instances.profiles[start : start + BLOCK] @ across)
        alike.data[alike.data < FAINT] = 0
        alike.eliminate_zeros()
        blocks.append(strongest(alike, ALIKE_WITH + 1))  # itself is one of them
    found = between_others(sparse.vstack(blocks, "csr"))
    return sparse.csr_array(found.maximum(found.T))


def _nearest(vectors: Vectors, centres: Vectors) -> tuple[Numbers, Scores]:
    """The centre nearest to each vector, and its cosine."""
    nearest, cosines = np.zeros(len(vectors), np.int64), np.zeros(len(vectors), np.float32)
    for start in range(0, len(vectors), BLOCK):
        here = slice(start, start + BLOCK)
        similar = vectors[here] @ centres.T
        nearest[here], cosines[here] = similar.argmax(axis=1), similar.max(axis=1)
    return nearest, cosines


GROUPINGS: dict[str, Grouping] = {"linkage": linkage, "k-means": k_means}
"""The ways to put instances into groups."""
