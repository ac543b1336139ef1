"""Vectors sorted into cells of what is alike, so that a search need look into few of them."""

from collections.abc import Iterator
from dataclasses import replace
from math import isqrt

import faiss
import numpy as np
from numpy.typing import NDArray

from index.storage.arrays import Cells
from index.stores.flat_store import nearest
from retrieval.types import Progress, Rows, Vectors, unit

MANY = 2_000_000
"""Vectors from which on an index is sorted into cells unasked: `best` compares several times, 50 ms each by then."""
MOST_CELLS = 2048
"""Sorting in compares every vector with every cell, and a hundredth of the cells is searched quickly enough."""
SAMPLE_OF_CELL = 40
"""Vectors a cell that k-means looks at, in so many rounds; more of either moves the centroids hardly at all."""
ROUNDS = 8
QUERIES = 500
"""Searches by which it is found how many cells must be looked into, for so many of the nearest to be found."""
RECALL, NEAREST = 0.985, 10
NOISE = 0.75
"""How far those queries are from the vectors they are made from: as a drawn box is from the region that holds it."""
OUTGROWN = 2
"""The cells are made anew when the gallery has grown, or shrunk, so many times since."""
BLOCK_BYTES = 64 * 1024**2
SEED = 1


def wants_cells(store: str, rows: int) -> bool:
    """Whether an index of so many vectors is to be sorted into cells, for searches in the store of that name."""
    return store == "cells" or (store == "auto" and rows > MANY)


def make_cells(vectors: Vectors, progress: Progress) -> Cells:
    """Cells for unit vectors (N, D), which may lie on disk: they are read twice from end to end.

    Their number is the square root of N, as long as that is not too many.
    """
    rng = np.random.default_rng(SEED)
    progress("Sorting the index into cells", 0, len(vectors))
    centroids = _centroids(vectors, min(isqrt(len(vectors)), MOST_CELLS), rng)
    of_row = np.zeros(len(vectors), np.uint16)
    for rows in _blocks(len(vectors), len(centroids)):
        of_row[rows] = nearest_cells(vectors[rows], centroids)
        progress("Sorting the index into cells", rows.stop, len(vectors))
    return Cells(centroids, of_row, _probes(vectors, centroids, of_row, rng), len(vectors))


def update_cells(before: Cells, here: Rows, vectors: Vectors, progress: Progress) -> Cells:
    """The same centroids for the vectors (M, D) of the next generation, unless it has outgrown them.

    `here` (N,) has the new row of each old one, or -1; only those that are not among them are sorted in.
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
        progress("Sorting the index into cells", part.stop, len(new))
    return replace(before, of_row=of_row)


def nearest_cells(vectors: Vectors, centroids: Vectors) -> NDArray[np.int64]:
    """(N, D), (C, D) -> (N,)"""
    return np.asarray((vectors @ centroids.T).argmax(axis=1))


def _centroids(vectors: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Spherical k-means on a sample."""
    size = min(SAMPLE_OF_CELL * count, len(vectors))
    sample = vectors[np.sort(rng.choice(len(vectors), size, replace=False))]
    kmeans = faiss.Kmeans(
        vectors.shape[1], count, niter=ROUNDS, spherical=True, seed=SEED, min_points_per_centroid=1,
        max_points_per_centroid=SAMPLE_OF_CELL,
    )  # fmt: skip
    kmeans.train(sample)
    return unit(np.asarray(kmeans.centroids))


def _probes(vectors: Vectors, centroids: Vectors, of_row: NDArray[np.uint16], rng: np.random.Generator) -> int:
    """How many cells, the nearest first, hold so large a share of what an exact search finds.

    Asked for are vectors of the table with some noise; what they were made from does not count as found.
    """
    rows = np.sort(rng.choice(len(vectors), min(QUERIES, len(vectors)), replace=False))
    noise = rng.standard_normal((len(rows), vectors.shape[1]), np.float32) / np.sqrt(np.float32(vectors.shape[1]))
    queries = unit(vectors[rows] + NOISE * noise)
    found, _ = nearest(vectors, queries, NEAREST + 1, range(len(vectors)))
    others = found != rows[:, None]
    others &= others.cumsum(axis=1) <= NEAREST
    turns = np.argsort(np.argsort(-(queries @ centroids.T), axis=1), axis=1)  # when each cell's turn comes, (Q, C)
    needed = np.take_along_axis(turns, of_row[found].astype(np.int64), axis=1)[others]
    return int(np.quantile(needed, RECALL, method="higher")) + 1 if len(needed) else 1


def _blocks(rows: int, cells: int) -> Iterator[slice]:
    """Of so many rows that their similarities to all cells take little memory."""
    size = max(1, BLOCK_BYTES // (4 * cells))
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))
