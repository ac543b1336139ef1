"""Where vectors are searched."""

from collections.abc import Callable
from typing import Protocol

from index.cell_store import CellStore
from index.cells import Cells
from index.flat import FlatStore
from index.half import HalfStore
from retrieval.errors import IndexProblem, pick
from retrieval.types import Rows, Scores, Vectors

FLAT_ROWS = 250_000
"""Vectors up to which an exact search takes few milliseconds as they are; beyond that half the bytes pay."""


class Store(Protocol):
    """Vectors by row; `search` gives the most similar rows by inner product."""

    def __len__(self) -> int: ...

    def search(self, queries: Vectors, count: int, among: range | None = None) -> tuple[Rows, Scores]:
        """queries (Q, D) -> rows (Q, K), scores (Q, K), best first, equal scores by row; K = min(count, len).

        `among`: only these rows are searched, and K is at most their number. Which of several rows that tie for the
        last place are found is left open. Scores are exact; whether the rows are is said by each store.
        """

    def vectors(self, rows: Rows) -> Vectors:
        """(R,) -> (R, D), as they were given."""


def open_store(name: str, vectors: Vectors, cells: Cells | None = None) -> Store:
    """Makes vectors (N, D) searchable, which must never change: they are searched where they lie.

    Raises UnknownName, IndexProblem where the store needs cells and there are none.
    """
    return pick(STORES, "store", name)(vectors, cells)


def _auto(vectors: Vectors, cells: Cells | None) -> Store:
    if cells:
        return CellStore(vectors, cells)
    return FlatStore(vectors) if len(vectors) <= FLAT_ROWS else HalfStore(vectors)


def _cells(vectors: Vectors, cells: Cells | None) -> Store:
    if cells is None:
        raise IndexProblem("The index is not sorted into cells; build it again with BOXFIND_STORE=cells.")
    return CellStore(vectors, cells)


STORES: dict[str, Callable[[Vectors, Cells | None], Store]] = {
    "auto": _auto,
    "flat": lambda vectors, _: FlatStore(vectors),
    "half": lambda vectors, _: HalfStore(vectors),
    "cells": _cells,
}
"""`flat` and `half` find exactly the nearest, `cells` nearly all of them; `auto` is what suits the size."""
