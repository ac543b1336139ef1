"""Every vector is compared with what is asked for, right where it lies: mapped from disk, never copied."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import faiss
import numpy as np

from retrieval.cpus import cpu_count
from retrieval.types import Rows, Scores, Vectors

Part = TypeVar("Part")
Found = TypeVar("Found")

THREADS = min(cpu_count(), 8)
"""More than these only wait for memory."""
ROWS_OF_THREAD = 8192
"""Fewer take about as long as it takes to wake another thread, a tenth of a millisecond and more."""
MANY_QUERIES = 20
"""From so many at once on FAISS multiplies matrices, which is faster than comparing pair by pair; for few, slower."""

# FAISS counts the numbers in all queries together; with 256 dimensions, what is usual, this is the same.
faiss.cvar.distance_compute_blas_threshold = 256 * MANY_QUERIES
# FAISS on one thread each: its own sharing out is by queries, and one query is what is mostly asked.
_threads = ThreadPoolExecutor(THREADS, "search", initializer=faiss.omp_set_num_threads, initargs=(1,))


class FlatStore:
    """Exact inner product over every vector. Reading from many threads is safe."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, queries: Vectors, count: int, among: range | None = None) -> tuple[Rows, Scores]:
        return nearest(self._vectors, queries, count, range(len(self)) if among is None else among)

    def vectors(self, rows: Rows) -> Vectors:
        return self._vectors[rows]


def nearest(vectors: Vectors, queries: Vectors, count: int, among: range) -> tuple[Rows, Scores]:
    """The rows that are most similar to each of the queries, by comparing with all; as Store.search has it."""
    count = min(count, len(among))
    if count == 0:
        return np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
    queries = np.ascontiguousarray(queries, np.float32)

    def search(part: range) -> tuple[Rows, Scores]:
        here = vectors[part.start : part.stop]
        scores, places = faiss.knn(queries, here, min(count, len(part)), metric=faiss.METRIC_INNER_PRODUCT)
        return places + part.start, scores

    found = side_by_side(search, equal_parts(among))
    return best(np.hstack([rows for rows, _ in found]), np.hstack([scores for _, scores in found]), count)


def rescored(vectors: Vectors, query: Vectors, rows: Rows, count: int) -> tuple[Rows, Scores]:
    """Of some rows (R,), R >= count, the `count` that are most similar to the query (D,), with exact scores."""
    rows = np.sort(rows)
    scores, places = faiss.knn(query[None], vectors[rows], count, metric=faiss.METRIC_INNER_PRODUCT)
    rows, scores = best(rows[places], scores, count)
    return rows[0], scores[0]


def best(rows: Rows, scores: Scores, count: int) -> tuple[Rows, Scores]:
    """The `count` best of rows (Q, R) by their scores (Q, R): best first, equal scores by row."""
    order = np.lexsort((rows, -scores))[:, :count]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def equal_parts(rows: range) -> list[range]:
    """The rows shared out in one part a thread, in fewer where there are few."""
    count = min(THREADS, -(-len(rows) // ROWS_OF_THREAD))
    edges = [rows.start + len(rows) * part // count for part in range(count + 1)] if count else []
    return [range(start, stop) for start, stop in pairwise(edges)]


def side_by_side(work: Callable[[Part], Found], parts: Iterable[Part]) -> list[Found]:
    """What the work makes of each part, in their order; the first here, each other in a thread of its own.

    Never call it from the work.
    """
    parts = list(parts)
    waiting = [_threads.submit(work, part) for part in parts[1:]]
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # of this thread alone
    try:
        return [*map(work, parts[:1]), *(found.result() for found in waiting)]
    finally:
        faiss.omp_set_num_threads(before)
