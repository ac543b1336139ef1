"""Cluster vectors into IVF cells with spherical k-means, and choose how many cells a search probes."""

from collections.abc import Iterator
from dataclasses import replace
from math import isqrt

import faiss
import numpy as np
from numpy.typing import NDArray

from index.storage.arrays import Cells
from index.stores.flat_store import nearest
from retrieval.types import Progress, Rows, Vectors, unit

MANY = 1_000_000
"""Number of vectors above which the store "auto" uses cells: the ranking `best` scans five to eight times."""
MOST_CELLS = 2048
"""Upper limit: assignment compares every vector with every centroid, and this many cells make searches fast enough."""
SAMPLE_OF_CELL = 40
"""k-means training vectors per cell. More vectors or rounds barely move the centroids."""
ROUNDS = 8
QUERIES = 500
"""Test queries for choosing the number of probes."""
RECALL, NEAREST = 0.985, 10
"""The number of probes must reach this recall of this many nearest neighbours."""
NOISE = 0.75
"""Norm of the noise added to a vector to make a test query: about the distance of a drawn box from its region."""
OUTGROWN = 2
"""Cells are trained again once the gallery has grown or shrunk by this factor."""
BLOCK_BYTES = 64 * 1024**2
SEED = 1


def wants_cells(store: str, rows: int) -> bool:
    """Whether an index with this many vectors needs cells for the given store."""
    return store == "cells" or (store == "auto" and rows > MANY)


def make_cells(vectors: Vectors, progress: Progress) -> Cells:
    """Train cells for unit vectors (N, D), which may be memory-mapped and are read twice.

    The number of cells is sqrt(N), at most MOST_CELLS.
    """
    rng = np.random.default_rng(SEED)
    progress("Assigning vectors to cells", 0, len(vectors))
    centroids = _centroids(vectors, min(isqrt(len(vectors)), MOST_CELLS), rng)
    of_row = np.zeros(len(vectors), np.uint16)
    for rows in _blocks(len(vectors), len(centroids)):
        of_row[rows] = nearest_cells(vectors[rows], centroids)
        progress("Assigning vectors to cells", rows.stop, len(vectors))
    return Cells(centroids, of_row, _probes(vectors, centroids, of_row, rng), len(vectors))


def update_cells(before: Cells, here: Rows, vectors: Vectors, progress: Progress) -> Cells:
    """Reuse the centroids for the vectors (M, D) of the next generation, or retrain if its size differs too much.

    `here` (N,) maps each old row to its new row, or -1. Only rows that are not in `here` are assigned anew.
    """
    if not before.learned / OUTGROWN < len(vectors) < before.learned * OUTGROWN:
        return make_cells(vectors, progress)
    of_row = np.zeros(len(vectors), np.uint16)
    arrived = np.ones(len(vectors), bool)
    of_row[here[here >= 0]] = before.of_row[here >= 0]
    arrived[here[here >= 0]] = False
    new = np.flatnonzero(arrived)
    for part in _blocks(len(new), len(before.centroids)):
        of_row[new[part]] = nearest_cells(vectors[new[part]], before.centroids)
        progress("Assigning vectors to cells", part.stop, len(new))
    return replace(before, of_row=of_row)


def nearest_cells(vectors: Vectors, centroids: Vectors) -> NDArray[np.int64]:
    """Index of the most similar centroid. vectors (N, D), centroids (C, D) -> (N,)."""
    return np.asarray((vectors @ centroids.T).argmax(axis=1))


def _centroids(vectors: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Spherical k-means on a sample. vectors (N, D) -> (count, D), unit length."""
    size = min(SAMPLE_OF_CELL * count, len(vectors))
    sample = vectors[np.sort(rng.choice(len(vectors), size, replace=False))]
    kmeans = faiss.Kmeans(
        vectors.shape[1], count, niter=ROUNDS, spherical=True, seed=SEED, min_points_per_centroid=1,
        max_points_per_centroid=SAMPLE_OF_CELL,
    )  # fmt: skip
    kmeans.train(sample)
    return unit(np.asarray(kmeans.centroids))


def _probes(vectors: Vectors, centroids: Vectors, of_row: NDArray[np.uint16], rng: np.random.Generator) -> int:
    """Number of nearest cells that must be probed to reach RECALL of the exact NEAREST neighbours.

    The queries are stored vectors plus noise; a query's own source vector does not count.
    """
    rows = np.sort(rng.choice(len(vectors), min(QUERIES, len(vectors)), replace=False))
    noise = rng.standard_normal((len(rows), vectors.shape[1]), np.float32) / np.sqrt(np.float32(vectors.shape[1]))
    queries = unit(vectors[rows] + NOISE * noise)
    found, _ = nearest(vectors, queries, NEAREST + 1, range(len(vectors)))
    others = found != rows[:, None]
    others &= others.cumsum(axis=1) <= NEAREST
    ranks = np.argsort(np.argsort(-(queries @ centroids.T), axis=1), axis=1)  # of each cell, (Q, C)
    needed = np.take_along_axis(ranks, of_row[found].astype(np.int64), axis=1)[others]
    return int(np.quantile(needed, RECALL, method="higher")) + 1 if len(needed) else 1


def _blocks(rows: int, cells: int) -> Iterator[slice]:
    """Split rows so that the similarities of a block to all cells fit into BLOCK_BYTES."""
    size = max(1, BLOCK_BYTES // (4 * cells))
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))
