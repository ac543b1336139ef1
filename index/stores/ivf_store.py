"""Approximate search: IVF with 8-bit scalar quantisation, float32 re-scoring."""

from math import ceil

import faiss
import numpy as np

from index.storage.arrays import Cells
from index.stores.flat_store import THREADS, rescored, scan, side_by_side
from index.stores.inverted_file import open_inverted_file
from index.stores.prefetch import Prefetch
from retrieval.types import Rows, Scores, Vectors

SPARE = 32
"""Candidates to re-score beyond 2 x count. 8-bit quantisation puts few rows in the wrong order."""
USUAL = 160
"""Up to this count a search probes the number of cells stored in the index; above it, proportionally more."""
TOO_MANY = 0.25
"""Share of cells to probe from which a full, exact scan is no slower."""


class IvfStore:
    """Finds nearly all of the nearest rows, with exact scores (IVF, 8 bits per dimension). Thread-safe.

    A search restricted to few rows, or one for many results, probes more cells. Above TOO_MANY of the cells it scans
    all vectors instead.
    """

    def __init__(self, vectors: Vectors, cells: Cells) -> None:
        self._vectors, self._prefetch = vectors, Prefetch(vectors)
        self._cells, self._index = cells, open_inverted_file(vectors, cells)

    def search(self, query: Vectors, count: int, among: range) -> tuple[Rows, Scores]:
        count = min(count, len(among))
        probes = self._probes(count, among) if count else 0
        if count == 0 or probes >= TOO_MANY * len(self._cells.centroids):
            return scan(self._vectors, query, count, among)
        query = np.ascontiguousarray(query, np.float32)
        cells = np.argpartition(-(self._cells.centroids @ query), probes - 1)[:probes]
        fetch = min(2 * count + SPARE, len(among))
        parts = [cells[part::THREADS] for part in range(min(THREADS, probes))]
        found = side_by_side(lambda part: self._rough(query, fetch, among, part), parts)
        rows = np.concatenate([rows for rows, _ in found])
        scores = np.concatenate([scores for _, scores in found])
        rows = rows[np.argsort(-scores)[:fetch]]
        rows = rows[(rows >= 0) & (rows < len(self._vectors))]  # FAISS pads with -1 and the lowest score
        if len(rows) < count:
            return scan(self._vectors, query, count, among)
        self._prefetch(rows)
        return rescored(self._vectors, query, rows, count)

    def _probes(self, count: int, among: range) -> int:
        return ceil(self._cells.probes * max(count / USUAL, 1) * len(self._vectors) / len(among))

    def _rough(self, query: Vectors, count: int, among: range, cells: Rows) -> tuple[Rows, Scores]:
        """The best rows (count,) of cells (P,) by quantised score, and these scores; padded with row -1."""
        only = faiss.IDSelectorRange(among.start, among.stop) if len(among) < len(self._vectors) else None
        how = faiss.SearchParametersIVF(sel=only, nprobe=len(cells))  # type: ignore[call-arg]
        cells, nothing = np.ascontiguousarray(cells, np.int64), np.zeros(len(cells), np.float32)
        scores, rows = np.empty(count, np.float32), np.empty(count, np.int64)
        given = (faiss.swig_ptr(array) for array in (cells, nothing, scores, rows))
        search = self._index.search_preassigned_c  # type: ignore[attr-defined]  # the only variant that accepts parameters
        search(1, faiss.swig_ptr(query), count, *given, False, how)
        return rows, scores
