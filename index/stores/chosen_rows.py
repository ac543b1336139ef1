"""Exact search among any rows, with a store that searches ranges of rows."""

import numpy as np

from index.stores.flat_store import best, rescored
from index.stores.store import Store
from retrieval.types import Rows, Scores, Vectors

FEW = 20_000
"""Up to this many rows, reading their vectors takes a few milliseconds."""
SPARE = 2
"""How many times more rows are fetched than the share of the chosen ones suggests."""
BLOCK = 65_536
"""Vectors copied at a time."""


def search_rows(store: Store, vectors: Vectors, query: Vectors, count: int, rows: Rows) -> tuple[Rows, Scores]:
    """The rows (M,), ascending, nearest to query (D,) -> rows (K,), scores (K,), with the contract of Store.search."""
    count = min(count, len(rows))
    if count == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    among = range(int(rows[0]), int(rows[-1]) + 1)
    fetch = SPARE * count * len(among) // len(rows)
    while len(rows) > FEW and fetch < len(rows):
        found, scores = store.search(query, fetch, among)
        chosen = np.isin(found, rows)
        if chosen.sum() >= count:
            return found[chosen][:count], scores[chosen][:count]
        fetch *= 4
    return _scan(vectors, query, count, rows)


def _scan(vectors: Vectors, query: Vectors, count: int, rows: Rows) -> tuple[Rows, Scores]:
    query = np.ascontiguousarray(query, np.float32)
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    found = [rescored(vectors, query, block, min(count, len(block))) for block in blocks]
    all_rows, all_scores = (np.concatenate(arrays)[None] for arrays in zip(*found, strict=True))
    nearest, scores = best(all_rows, all_scores, count)
    return nearest[0], scores[0]
