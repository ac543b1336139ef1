"""Group similar object instances across images, for the catalogue."""

import numpy as np
from scipy import sparse

from retrieval.clustering.corrections import Components
from retrieval.clustering.linkage import average_linkage, between_others, corrected_linkage, strongest
from retrieval.clustering.object_instances import ObjectInstances
from retrieval.types import Numbers, Scores

LIKENESS = 0.5
"""Default minimum mean similarity within a group, chosen in benchmarks/RESULTS.md."""
MIN_GROUP_PICTURES = 3
MAX_NEIGHBOURS = 60
"""The most similar neighbours kept per instance."""
MIN_SIMILARITY = 0.02
BLOCK_ROWS = 2000


def group_instances(
    instances: ObjectInstances, likeness: float = LIKENESS, components: Components | None = None
) -> Numbers:
    """The group number of each instance, (S,); -1 for ungrouped. Groups are numbered by size, the largest is 0.

    Average linkage on shared neighbours, down to a mean similarity of `likeness`, 0 to 1. A group has at least
    MIN_GROUP_PICTURES pictures, or two that corrections, resolved into `components`, say belong in it. If a picture
    has several instances in a group, only the strongest stays.
    """
    alike = shared_neighbours(instances)
    if components:
        groups = corrected_linkage(alike, likeness, components, instances.images)
    else:
        groups = average_linkage(alike, likeness)
    order = np.lexsort((-instances.strengths, instances.images, groups))
    repeats = (np.diff(groups[order]) == 0) & (np.diff(instances.images[order]) == 0)
    dropped = np.zeros(len(groups), bool)
    dropped[order[1:][repeats]] = True
    count = int(groups.max(initial=-1)) + 1
    sizes = np.bincount(groups[~dropped], minlength=count)
    confirmed = np.bincount(groups[~dropped], _confirmed(len(groups), components)[~dropped], count)
    shown = (sizes >= MIN_GROUP_PICTURES) | (confirmed >= 2)
    ranks = np.argsort(np.argsort(-sizes * shown, kind="stable"))
    return np.where(dropped | ~shown[groups], -1, ranks[groups])


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


def _confirmed(count: int, components: Components | None) -> Numbers:
    """1 for each instance that a correction puts or leaves in a group, otherwise 0, (count,)."""
    found = np.zeros(count, int)
    found[list(components.confirmed) if components else []] = 1
    return found


def shared_neighbours(instances: ObjectInstances) -> sparse.csr_array:
    """(S, S) symmetric: similarity of instance profiles, limited to the nearest neighbours of each instance."""
    across = sparse.csr_array(instances.profiles.T)
    blocks = [sparse.csr_array((0, len(instances.images)), dtype=np.float32)]
    for start in range(0, len(instances.images), BLOCK_ROWS):
        alike = sparse.csr_array(instances.profiles[start : start + BLOCK_ROWS] @ across)
        alike.data[alike.data < MIN_SIMILARITY] = 0
        alike.eliminate_zeros()
        blocks.append(strongest(alike, MAX_NEIGHBOURS + 1))  # + 1 because each includes itself
    found = between_others(sparse.vstack(blocks, "csr"))
    return sparse.csr_array(found.maximum(found.T))
