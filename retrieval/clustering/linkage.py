"""Agglomerative clustering with average linkage on a sparse similarity matrix."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.types import Numbers


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
        kept, joined = np.unique(np.minimum(partner, np.arange(len(partner))), return_inverse=True)
        labels, sizes = joined[labels], np.bincount(joined, sizes)
        into = one_hot(joined, len(kept))
        sums = between_others(sparse.csr_array(into.T @ sums @ into))


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


def _rows(matrix: sparse.csr_array) -> Numbers:
    """The row of each stored entry."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
