"""Search in Milvus, float32 re-scoring with the vectors of the generation."""

from typing import TYPE_CHECKING

import numpy as np

from index.stores.flat_store import rescored, scan
from retrieval.errors import StoreUnavailable
from retrieval.types import Rows, Scores, Vectors

if TYPE_CHECKING:  # requires pymilvus, which is optional
    from index.milvus.collection import Collection

SPARE = 32
"""Extra candidates to re-score: Milvus sums in another order, which can swap rows with nearly equal scores."""
MOST = 16_384
"""Milvus' limit on results per search. A search for more scans all vectors locally."""


class MilvusStore:
    """The results of FlatStore with Milvus' FLAT index; nearly all of the nearest rows with its other indexes.

    `search` raises StoreUnavailable while Milvus is unavailable, unless local fallback is enabled.
    """

    def __init__(self, vectors: Vectors, collection: "Collection") -> None:
        self._vectors, self._collection = vectors, collection

    def search(self, query: Vectors, count: int, among: range) -> tuple[Rows, Scores]:
        count = min(count, len(among))
        fetch = min(count + SPARE, len(among))
        if count == 0 or fetch > MOST:
            return scan(self._vectors, query, count, among)
        try:
            rows = self._collection.search(query, fetch, among)
        except StoreUnavailable:
            if not self._collection.fallback:
                raise
            return scan(self._vectors, query, count, among)
        if len(rows) < count:  # an approximate index may return fewer rows than requested
            return scan(self._vectors, query, count, among)
        return rescored(self._vectors, np.ascontiguousarray(query, np.float32), rows, count)
