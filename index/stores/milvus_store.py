"""Vectors are searched in Milvus; what comes near is compared exactly with those of the generation itself."""

from typing import TYPE_CHECKING

import numpy as np

from index.stores.flat_store import nearest, rescored
from retrieval.errors import StoreAway
from retrieval.types import Rows, Scores, Vectors

if TYPE_CHECKING:  # so that a machine without pymilvus can list its stores
    from index.milvus.collection import Collection

SPARE = 32
"""Rows beyond those asked for that are compared: Milvus adds up in another order, which decides between close ones."""
MOST = 16_384
"""Rows that Milvus gives out at once; a search for more compares all vectors here."""


class MilvusStore:
    """The answers of FlatStore where Milvus compares with all; of its other indexes nearly all of the nearest.

    `search` raises StoreAway while Milvus is away, unless vectors may be searched on this machine meanwhile.
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
        found = [self._exactly(query, rows, count, among) for query, rows in zip(queries, near, strict=True)]
        return np.stack([rows for rows, _ in found]), np.stack([scores for _, scores in found])

    def vectors(self, rows: Rows) -> Vectors:
        return self._vectors[rows]

    def _exactly(self, query: Vectors, rows: Rows, count: int, among: range) -> tuple[Rows, Scores]:
        if len(rows) < count:  # an index that looks into few of the rows may come back with fewer than there are
            best_rows, best_scores = nearest(self._vectors, query[None], count, among)
            return best_rows[0], best_scores[0]
        return rescored(self._vectors, query, rows, count)
