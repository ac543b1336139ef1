"""Agglomerative clustering with average linkage on a sparse similarity matrix."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.clustering.corrections import Components
from retrieval.types import Numbers

ALWAYS_FIRST = 1e6
"""Similarity of items of one image, far above all others."""


def average_linkage(alike: sparse.csr_array, least: float) -> Numbers:
    """Cluster labels of N items, numbered by first occurrence. alike (N, N), symmetric similarities -> (N,).

    Missing entries have similarity 0. Clusters are merged while their mean pairwise similarity is at least `least`.
    Each round merges all pairs of clusters that are mutually nearest. With average linkage this gives the same clusters
    as merging one nearest pair at a time, in a few dozen passes over the stored entries (reciprocal agglomerative
    clustering, Sumengen et al., 2021).
    """
    labels = np.arange(alike.shape[0])
    sizes = np.ones(alike.shape[0])
    sums = sparse.csr_array(alike, dtype=np.float64)
    while True:
        partner = _reciprocal(sums, sizes, least)
        if np.array_equal(partner, np.arange(len(partner))):
            return labels
        sums, sizes, joined = _merged(partner, sums, sizes)
        labels = joined[labels]


def corrected_linkage(alike: sparse.csr_array, least: float, components: Components, images: Numbers) -> Numbers:
    """Average linkage in which linked items share a cluster, and items kept apart do not. alike (N, N) -> labels (N,).

    Clusters without corrected items are those of `average_linkage`. A cluster with items kept apart is split into as
    few parts as possible, each item with those it is most similar to; items of one image, (N,), stay in one part.
    Then the parts of linked items become one cluster. So a cluster that loses an item keeps all others.
    """
    labels, roots = average_linkage(alike, least), components.roots(alike.shape[0])
    items = np.flatnonzero(np.isin(labels, labels[roots >= 0]))
    within = _within(sparse.csr_array(alike[items][:, items]), labels[items], images[items])
    labels[items] = len(labels) + _split(within, roots[items], components)
    return _by_first_occurrence(labels)


def _within(alike: sparse.csr_array, labels: Numbers, images: Numbers) -> sparse.csr_array:
    """The similarities between items of the same cluster, raised between items of the same image.

    `alike` is (N, N); `labels` and `images` are (N,).
    """
    inside = labels[_rows(alike)] == labels[alike.indices]
    within = sparse.csr_array((alike.data * inside, alike.indices, alike.indptr), shape=alike.shape)
    _, same = np.unique(np.stack([labels, images]), axis=1, return_inverse=True)
    first = one_hot(same, int(same.max(initial=-1)) + 1)
    found = sparse.csr_array(within + ALWAYS_FIRST * between_others(sparse.csr_array(first @ first.T)))
    found.eliminate_zeros()
    return found


def _split(alike: sparse.csr_array, roots: Numbers, components: Components) -> Numbers:
    """Merge all items that have any similarity, the most similar first, unless they are kept apart.

    alike (N, N) -> labels (N,); linked items have one label. roots (N,): the sets of the items, -1 for items in none.
    """
    components, apart = components.copy(), components.pairs_apart()
    labels, sizes = np.arange(alike.shape[0]), np.ones(alike.shape[0])
    sums = sparse.csr_array(alike, dtype=np.float64)
    while True:
        sums = _allowed(sums, roots, apart)
        partner, root_of = _joined(_reciprocal(sums, sizes, 0), roots, components)
        if np.array_equal(partner, np.arange(len(partner))):
            return np.where(roots >= 0, roots, int(roots.max(initial=-1)) + 1 + np.arange(len(roots)))[labels]
        sums, sizes, joined = _merged(partner, sums, sizes)
        labels, apart = joined[labels], root_of[apart]
        in_sets, before = np.flatnonzero(roots >= 0), roots
        roots = np.full(len(sizes), -1)
        roots[joined[in_sets]] = root_of[before[in_sets]]


def one_hot(labels: Numbers, count: int) -> sparse.csr_array:
    """(M,) -> (M, count)."""
    return sparse.csr_array((np.ones(len(labels)), (np.arange(len(labels)), labels)), shape=(len(labels), count))


def between_others(matrix: sparse.csr_array) -> sparse.csr_array:
    """The matrix without its diagonal."""
    matrix = sparse.coo_array(matrix)
    off = matrix.row != matrix.col
    return sparse.csr_array((matrix.data[off], (matrix.row[off], matrix.col[off])), shape=matrix.shape)


def strongest(matrix: sparse.csr_array, count: int) -> sparse.csr_array:
    """The largest `count` entries of each row. Ties go to the lower column."""
    matrix = sparse.csr_array(matrix)
    matrix.sort_indices()
    rows = _rows(matrix)
    order = np.lexsort((-matrix.data, rows))
    rank = np.arange(len(order)) - matrix.indptr[rows[order]]
    kept = np.sort(order[rank < count])
    return sparse.csr_array((matrix.data[kept], (rows[kept], matrix.indices[kept])), shape=matrix.shape)


def _reciprocal(sums: sparse.csr_array, sizes: NDArray[np.float64], least: float) -> Numbers:
    """The merge partner of each cluster: its nearest cluster if that is mutual and similar enough, else itself.

    Ties go to the lower number for every cluster, so that a mutual pair always exists.
    """
    sums.sort_indices()
    rows = _rows(sums)
    mean = sums.data / (sizes[rows] * sizes[sums.indices])
    order = np.lexsort((sums.indices, -mean, rows))
    first = order[sums.indptr[:-1][np.diff(sums.indptr) > 0]]
    first = first[mean[first] >= least]
    nearest = np.arange(len(sizes))
    nearest[rows[first]] = sums.indices[first]
    return np.where(nearest[nearest] == np.arange(len(nearest)), nearest, np.arange(len(nearest)))


def _merged(
    partner: Numbers, sums: sparse.csr_array, sizes: NDArray[np.float64]
) -> tuple[sparse.csr_array, NDArray[np.float64], Numbers]:
    """Sums and sizes after merging each cluster with its partner, and the new number of each cluster, (N,)."""
    kept, joined = np.unique(np.minimum(partner, np.arange(len(partner))), return_inverse=True)
    into = one_hot(joined, len(kept))
    merged = between_others(sparse.csr_array(into.T @ sums @ into))
    return merged, np.asarray(np.bincount(joined, sizes), np.float64), np.asarray(joined, np.int64)


def _by_first_occurrence(labels: Numbers) -> Numbers:
    _, first, found = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[found]


def _allowed(sums: sparse.csr_array, roots: Numbers, apart: Numbers) -> sparse.csr_array:
    """The matrix without the entries of clusters that are kept apart. apart (P, 2): pairs of roots, in both orders."""
    rows, base = _rows(sums), int(roots.max(initial=-1)) + 1
    both = np.flatnonzero((roots[rows] >= 0) & (roots[sums.indices] >= 0))
    pairs = roots[rows[both]] * base + roots[sums.indices[both]]
    forbidden = both[np.isin(pairs, apart[:, 0] * base + apart[:, 1])]
    if not len(forbidden):
        return sums
    sums = sums.copy()
    sums.data[forbidden] = 0
    sums.eliminate_zeros()
    return sums


def _joined(partner: Numbers, roots: Numbers, components: Components) -> tuple[Numbers, Numbers]:
    """Join the sets of merged clusters, (N,) each.

    Returns the partners without the pairs that another pair of the same round forbids, and the new root of each root.
    """
    partner, root_of = partner.copy(), np.arange(int(roots.max(initial=-1)) + 1)
    across = (roots >= 0) & (roots[partner] >= 0) & (roots != roots[partner]) & (partner > np.arange(len(partner)))
    ones = np.flatnonzero(across)
    for one, other in zip(ones.tolist(), partner[ones].tolist(), strict=True):
        if not components.join(int(roots[one]), int(roots[other])):
            partner[[one, other]] = one, other
    changed = np.unique(roots[np.append(ones, partner[ones])])
    root_of[changed] = [components.root(root) for root in changed.tolist()]
    return partner, root_of


def _rows(matrix: sparse.csr_array) -> Numbers:
    """The row of each stored entry."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
