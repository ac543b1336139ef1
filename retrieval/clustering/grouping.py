"""Group similar object instances across images, for the catalogue."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from retrieval.clustering.linkage import average_linkage, between_others, strongest
from retrieval.clustering.object_instances import ObjectInstances
from retrieval.errors import pick
from retrieval.types import Numbers, Scores, Vectors, unit

LIKENESS = 0.5
"""Default minimum mean similarity within a group, chosen in benchmarks/RESULTS.md."""
FEWEST = 3
"""Minimum number of pictures in a group."""
ALIKE_WITH = 60
"""Maximum neighbours kept per instance, the most similar ones."""
FAINT = 0.02
"""Similarities below this are dropped."""
BLOCK = 2000
OF_A_CENTRE = 8
"""Mean number of instances per k-means centre."""
ROUNDS = 20

Grouping = Callable[[ObjectInstances, Vectors, float], Numbers]
"""S object instances, descriptors (S, D) and a minimum similarity, 0 to 1 -> group numbers (S,)."""


def group_instances(
    instances: ObjectInstances, vectors: Vectors, likeness: float = LIKENESS, grouping: str = "linkage"
) -> Numbers:
    """The group number of each instance, (S,); -1 for ungrouped. Groups are numbered by size, the largest is 0.

    A group has at least FEWEST pictures. If a picture has several instances in a group, only the strongest stays.
    Raises UnknownName.
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
    """Mean similarity of each instance to the others of its group, (S,), 0 to 1; 0 for ungrouped instances."""
    grouped = np.flatnonzero(groups >= 0)
    found = np.zeros(len(groups), np.float32)
    if not len(grouped):
        return found
    inside, profiles = groups[grouped], instances.profiles[grouped]
    sizes = np.bincount(inside)
    into = sparse.csr_array((np.ones(len(inside), np.float32), (inside, np.arange(len(inside)))))
    sums = sparse.csr_array(into @ profiles)
    with_all = np.asarray(profiles.multiply(sums[inside]).sum(axis=1))
    found[grouped] = (with_all - 1) / np.maximum(sizes[inside] - 1, 1)  # minus 1 for the similarity to itself
    return np.clip(found, 0, 1)


def linkage(instances: ObjectInstances, vectors: Vectors, likeness: float) -> Numbers:
    """Average linkage on shared neighbours, down to a mean similarity of `likeness`. Ignores `vectors`."""
    return average_linkage(shared_neighbours(instances), likeness)


def k_means(instances: ObjectInstances, vectors: Vectors, likeness: float) -> Numbers:
    """Spherical k-means, one centre per eight instances. An instance with a cosine below `likeness` stays alone."""
    count = -(-len(vectors) // OF_A_CENTRE)
    centres = vectors[np.random.default_rng(0).permutation(len(vectors))[:count]]
    for _ in range(ROUNDS):
        nearest, cosines = _nearest(vectors, centres)
        into = sparse.csr_array((np.ones(len(nearest)), (nearest, np.arange(len(nearest)))), (count, len(nearest)))
        centres = unit(into @ vectors)
    return np.where(cosines >= likeness, nearest, count + np.arange(len(vectors)))


def shared_neighbours(instances: ObjectInstances) -> sparse.csr_array:
    """(S, S) symmetric: similarity of instance profiles, limited to the nearest neighbours of each instance."""
    across = sparse.csr_array(instances.profiles.T)
    blocks = [sparse.csr_array((0, len(instances.images)), dtype=np.float32)]
    for start in range(0, len(instances.images), BLOCK):
        alike = sparse.csr_array(instances.profiles[start : start + BLOCK] @ across)
        alike.data[alike.data < FAINT] = 0
        alike.eliminate_zeros()
        blocks.append(strongest(alike, ALIKE_WITH + 1))  # + 1 because each includes itself
    found = between_others(sparse.vstack(blocks, "csr"))
    return sparse.csr_array(found.maximum(found.T))


def _nearest(vectors: Vectors, centres: Vectors) -> tuple[Numbers, Scores]:
    """The nearest centre of each vector, and the cosine to it."""
    nearest, cosines = np.zeros(len(vectors), np.int64), np.zeros(len(vectors), np.float32)
    for start in range(0, len(vectors), BLOCK):
        here = slice(start, start + BLOCK)
        similar = vectors[here] @ centres.T
        nearest[here], cosines[here] = similar.argmax(axis=1), similar.max(axis=1)
    return nearest, cosines


GROUPINGS: dict[str, Grouping] = {"linkage": linkage, "k-means": k_means}
