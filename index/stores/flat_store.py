"""Exact search: float32 scan over memory-mapped vectors."""

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
"""More threads gain nothing: the scan is bound by memory bandwidth."""
ROWS_OF_THREAD = 8192
"""Minimum rows per thread. Scanning fewer takes about as long as waking a thread (0.1 ms or more)."""
MANY_QUERIES = 20
"""Number of queries from which FAISS uses matrix multiplication, which is slower for fewer queries.

FAISS compares the threshold with queries x dimensions; 256 is the usual number of dimensions.
"""

faiss.cvar.distance_compute_blas_threshold = 256 * MANY_QUERIES
# One FAISS thread per worker: FAISS parallelises over queries, but most searches have a single query.
_threads = ThreadPoolExecutor(THREADS, "search", initializer=faiss.omp_set_num_threads, initargs=(1,))


class FlatStore:
    """Exact inner-product search over all vectors. Thread-safe."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def search(self, query: Vectors, count: int, among: range) -> tuple[Rows, Scores]:
        return scan(self._vectors, query, count, among)


def scan(vectors: Vectors, query: Vectors, count: int, among: range) -> tuple[Rows, Scores]:
    """Exact nearest rows of vectors (N, D) for a query (D,), with the contract of Store.search."""
    rows, scores = nearest(vectors, query[None], count, among)
    return rows[0], scores[0]


def similarities(vectors: Vectors, query: Vectors, among: range) -> Scores:
    """The inner products of these rows of vectors (N, D) with a query (D,), the same numbers as `scan` returns."""
    query = np.ascontiguousarray(query, np.float32)
    scores = np.empty(len(among), np.float32)

    def compute(part: range) -> None:
        here = np.ascontiguousarray(vectors[part.start : part.stop], np.float32)
        there = scores[part.start - among.start : part.stop - among.start]
        pointers = map(faiss.swig_ptr, (there, query, here))
        faiss.fvec_inner_products_ny(*pointers, len(query), len(part))  # type: ignore[attr-defined]

    side_by_side(compute, equal_parts(among))
    return scores


def nearest(vectors: Vectors, queries: Vectors, count: int, among: range) -> tuple[Rows, Scores]:
    """Like `scan`, for queries (Q, D) -> rows (Q, K), scores (Q, K)."""
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
    """Score candidate rows (R,), R >= count, exactly for query (D,) -> best rows (count,), scores (count,)."""
    rows = np.sort(rows)
    scores, places = faiss.knn(query[None], vectors[rows], count, metric=faiss.METRIC_INNER_PRODUCT)
    rows, scores = best(rows[places], scores, count)
    return rows[0], scores[0]


def best(rows: Rows, scores: Scores, count: int) -> tuple[Rows, Scores]:
    """Select the top `count` of rows (Q, R) by scores (Q, R). Best first, ties by row."""
    order = np.lexsort((rows, -scores))[:, :count]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def equal_parts(rows: range) -> list[range]:
    """Split rows into equal ranges, at most one per thread and about ROWS_OF_THREAD rows or more each."""
    count = min(THREADS, -(-len(rows) // ROWS_OF_THREAD))
    edges = [rows.start + len(rows) * part // count for part in range(count + 1)] if count else []
    return [range(start, stop) for start, stop in pairwise(edges)]


def side_by_side(work: Callable[[Part], Found], parts: Iterable[Part]) -> list[Found]:
    """Run `work` on all parts in parallel and return the results in order. The first part runs in this thread.

    `work` must not call side_by_side itself: the shared thread pool could deadlock.
    """
    parts = list(parts)
    waiting = [_threads.submit(work, part) for part in parts[1:]]
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # affects this thread only
    try:
        return [*map(work, parts[:1]), *(found.result() for found in waiting)]
    finally:
        faiss.omp_set_num_threads(before)
