"""Where vectors are searched."""

from typing import Protocol

import faiss
import numpy as np

from retrieval.types import Rows, Scores, Vectors


class Store(Protocol):
    """Vectors by row; `search` gives the most similar rows by inner product."""

    def __len__(self) -> int: ...

    def search(self, queries: Vectors, count: int, among: range | None = None) -> tuple[Rows, Scores]:
        """queries (Q, D) -> rows (Q, K), scores (Q, K), best first, equal scores by row; K = min(count, len).

        `among`: only these rows are searched, and K is at most their number. Which of several rows that tie for the
        last place are found is left open.
        """

    def vectors(self, rows: Rows) -> Vectors:
        """(R,) -> (R, D)."""


class FlatStore:
    """Exact inner product over every vector (FAISS IndexFlatIP). Reading from many threads is safe."""

    def __init__(self, vectors: Vectors) -> None:
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, queries: Vectors, count: int, among: range | None = None) -> tuple[Rows, Scores]:
        among = range(len(self)) if among is None else among
        count = min(count, len(among))
        if count == 0:
            return np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
        only = faiss.IDSelectorRange(among.start, among.stop) if len(among) < len(self) else None
        how = faiss.SearchParameters(sel=only)  # type: ignore[call-arg]  # FAISS adds it when it is imported
        scores, rows = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), count, params=how)
        order = np.lexsort((rows, -scores))  # FAISS leaves equal scores in no useful order
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)

    def vectors(self, rows: Rows) -> Vectors:
        return np.asarray(self._index.reconstruct_batch(np.ascontiguousarray(rows, dtype=np.int64)), dtype=np.float32)


STORES = {"flat": FlatStore}
