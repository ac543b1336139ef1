"""Search in Milvus, float32 re-scoring with the vectors of the generation."""

from typing import TYPE_CHECKING

import numpy as np

from index.stores.flat_store import nearest, rescored
from retrieval.errors import StoreAway
from retrieval.types import Rows, Scores, Vectors

if TYPE_CHECKING:  # requires pymilvus, which is optional
    from index.milvus.collection import Collection

SPARE = 32
"""Extra candidates to re-score: Milvus sums in another order, which can swap rows with nearly equal scores."""
MOST = 16_384
"""Milvus' limit on results per search. A search for more scans all vectors locally."""


class MilvusStore:
    """The results of FlatStore with Milvus' FLAT index; nearly all of the nearest rows with its other indexes.

    `search` raises StoreAway while Milvus is unavailable, unless local fallback is enabled.
    """

    def __init__(self, vectors: Vectors, collection: "Collection") -> None:
        self._vectors, self._collection = vectors, collection

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, queries: Vectors, count: int, among: range | None = None) -> tuple[Rows, Scores]:
        among = range(len(self)) if among is None else among
        count = min(count, len(among))
        fetch = min(count + SPARE, len(among))
        if count == 0 or fetch > MOST:
            return nearest(self._vectors, queries, count, among)
        queries = np.ascontiguousarray(queries, np.float32)
        try:
            near = self._collection.search(queries, fetch, among)
        except StoreAway:
            if not self._collection.fallback:
                raise
            return nearest(self._vectors, queries, count, among)
        found = [self._rescored(query, rows, count, among) for query, rows in zip(queries, near, strict=True)]
        return np.stack([rows for rows, _ in found]), np.stack([scores for _, scores in found])

    def vectors(self, rows: Rows) -> Vectors:
        return self._vectors[rows]

    def _rescored(self, query: Vectors, rows: Rows, count: int, among: range) -> tuple[Rows, Scores]:
        if len(rows) < count:  # an approximate index may return fewer rows than requested
            best_rows, best_scores = nearest(self._vectors, query[None], count, among)
            return best_rows[0], best_scores[0]
        return rescored(self._vectors, query, rows, count)
