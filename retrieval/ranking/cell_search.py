"""Find the nearest regions of other images by cells: each node is compared with those in the cells near its own."""

from collections.abc import Callable
from contextlib import closing
from math import isqrt

import faiss
import numpy as np

from retrieval.blas_threads import in_threads
from retrieval.ranking.nearest_elsewhere import nearest_elsewhere
from retrieval.types import Numbers, Rows, Vectors, unit

CELLS_PER_ROOT = 2
"""Cells for each square root of the number of nodes, so that the work grows with its power of 1.5."""
COMPARED = 48
"""Cells that the nodes of a cell are compared with, its own included. Recall depends on it more than on their size."""
SAMPLE_OF_CELL = 40
"""k-means training vectors per cell."""
ROUNDS = 6
SEED = 1
BLOCK = 4096
"""Nodes that are assigned to cells at a time."""


def nearest_in_cells(
    vectors: Vectors, images: Numbers, count: int, progress: Callable[[int, int], None] = lambda *_: None
) -> Rows:
    """For M nodes (M, D), grouped by image, the best region of each of about the `count` nearest other images.

    images (M,) is ascending; returns positions (M, count) in row order. There must be more than `count` images. Does
    not depend on the number of threads: every block of work is a product on one BLAS thread.
    """
    centroids = _centroids(vectors)
    of_node = _cells(vectors, centroids)
    order = np.argsort(of_node, kind="stable")
    ends = np.cumsum(np.bincount(of_node, minlength=len(centroids)))
    members = np.split(order, ends[:-1])
    nearest = np.zeros((len(vectors), count), np.int64)
    filled = [cell for cell in range(len(centroids)) if len(members[cell])]

    def search(cell: int) -> Rows:
        near = np.argsort(-(centroids @ centroids[cell]), kind="stable")
        near = np.concatenate([[cell], near[near != cell]])
        return _nearest_among(vectors, images, members[cell], [members[other] for other in near], count)

    done = 0
    with closing(in_threads(search, filled)) as results:
        for cell, found in zip(filled, results, strict=True):
            nearest[members[cell]] = found
            done += len(found)
            progress(done, len(vectors))
    return nearest


def _nearest_among(vectors: Vectors, images: Numbers, queries: Rows, near: list[Rows], count: int) -> Rows:
    """The nearest regions of other images among the first COMPARED cells; more cells if they hold too few images."""
    compared = COMPARED
    while True:
        among = np.sort(np.concatenate(near[:compared]))
        starts = np.unique(images[among], return_index=True)[1]
        if len(starts) > count:
            return among[nearest_elsewhere(vectors[among], starts, np.searchsorted(among, queries), count)]
        compared *= 2


def _centroids(vectors: Vectors) -> Vectors:
    """Spherical k-means on a sample of vectors (M, D) -> (C, D), unit length."""
    count = max(CELLS_PER_ROOT * isqrt(len(vectors)), 1)
    size = min(SAMPLE_OF_CELL * count, len(vectors))
    sample = vectors[np.sort(np.random.default_rng(SEED).choice(len(vectors), size, replace=False))]
    kmeans = faiss.Kmeans(
        vectors.shape[1], count, niter=ROUNDS, spherical=True, seed=SEED, min_points_per_centroid=1,
        max_points_per_centroid=SAMPLE_OF_CELL,
    )  # fmt: skip
    with closing(in_threads(kmeans.train, [sample])) as trained:  # one thread: products do not depend on their number
        next(trained)
    return unit(np.asarray(kmeans.centroids))


def _cells(vectors: Vectors, centroids: Vectors) -> Numbers:
    """The cell with the most similar centroid of each vector (M, D) -> (M,)."""
    parts = [slice(start, start + BLOCK) for start in range(0, len(vectors), BLOCK)]
    with closing(in_threads(lambda part: (vectors[part] @ centroids.T).argmax(axis=1), parts)) as results:
        return np.concatenate([*results])
