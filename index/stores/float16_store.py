"""Exact search: float16 scan, float32 re-scoring."""

from dataclasses import dataclass

import faiss
import numpy as np

from index.stores.flat_store import best, equal_parts, rescored, scan, side_by_side
from index.stores.prefetch import Prefetch
from retrieval.types import Rows, Scores, Vectors

SPARE = 32
"""Extra candidates fetched for re-scoring. Usually enough to prove the result exact in one round."""
LARGE_SHARE = 0.1
"""Share of the rows requested above which a full float32 scan is faster."""
CHUNK = 8192


@dataclass(frozen=True, slots=True)
class _Part:
    """A float16 copy of some rows; `longest` is the largest vector norm among them."""

    rows: range
    index: faiss.IndexScalarQuantizer
    longest: float


class Float16Store:
    """The results of FlatStore from float16 copies in memory (2 bytes per dimension). Thread-safe."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors, self._prefetch = vectors, Prefetch(vectors)
        self._parts = side_by_side(lambda rows: _float16_copy(vectors, rows), equal_parts(range(len(vectors))))
        self._max_error = _error_bound(vectors.shape[1], max((part.longest for part in self._parts), default=0.0))

    def search(self, query: Vectors, count: int, among: range) -> tuple[Rows, Scores]:
        count = min(count, len(among))
        if count == 0 or count > LARGE_SHARE * len(among):
            return scan(self._vectors, query, count, among)
        query = np.ascontiguousarray(query, np.float32)
        max_error, fetch = self._max_error * float(np.linalg.norm(query)), count + SPARE
        while True:
            fetch = min(fetch, len(among))
            rough_rows, rough_scores = self._rough(query, fetch, among)
            self._prefetch(rough_rows)
            rows, scores = rescored(self._vectors, query, rough_rows, count)
            if fetch == len(among) or rough_scores[-1] + max_error < scores[-1]:
                return rows, scores  # no row outside the candidates can score higher
            fetch *= 2

    def _rough(self, query: Vectors, count: int, among: range) -> tuple[Rows, Scores]:
        """The best rows (count,) by float16 score, and these scores (count,)."""

        def search(part: _Part) -> tuple[Rows, Scores]:
            first, here = part.rows.start, _overlap(part.rows, among)
            only = faiss.IDSelectorRange(here.start - first, here.stop - first)
            how = faiss.SearchParameters(sel=only) if here != part.rows else None  # type: ignore[call-arg]
            scores, places = part.index.search(query[None], min(count, len(here)), params=how)
            return places + first, scores

        found = side_by_side(search, [part for part in self._parts if _overlap(part.rows, among)])
        rows, scores = best(np.hstack([rows for rows, _ in found]), np.hstack([scores for _, scores in found]), count)
        return rows[0], scores[0]


def _error_bound(dimensions: int, longest: float) -> float:
    """Upper bound of the difference between float16 and float32 scores, for a query of unit length.

    By Cauchy-Schwarz the difference is at most the distance between a vector (D,) and its copy. Rounding changes a
    number by at most 2^-11 of its value, or by 2^-25 if it is subnormal. Each of the two float32 sums adds at most D
    rounding errors.
    """
    rounded = longest * 2.0**-11 + np.sqrt(dimensions) * 2.0**-25
    return float(rounded + 2 * dimensions * longest * np.finfo(np.float32).eps)


def _overlap(one: range, other: range) -> range:
    return range(max(one.start, other.start), min(one.stop, other.stop))


def _float16_copy(vectors: Vectors, rows: range) -> _Part:
    dimensions = vectors.shape[1]
    index = faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index.codes.resize(len(rows) * index.code_size)  # reserve memory: growing step by step takes up to twice as much
    index.codes.resize(0)
    longest = 0.0
    for start in range(rows.start, rows.stop, CHUNK):
        chunk = vectors[start : min(start + CHUNK, rows.stop)]
        index.add(chunk)
        longest = max(longest, float(np.linalg.norm(chunk, axis=1).max()))
    return _Part(rows, index, longest)
