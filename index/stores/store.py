"""Where vectors are searched."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from index.storage.arrays import Cells
from index.stores.flat_store import FlatStore
from index.stores.float16_store import Float16Store
from index.stores.ivf_store import IvfStore
from index.stores.milvus_store import MilvusStore
from retrieval.errors import IndexProblem, pick
from retrieval.types import Rows, Scores, Vectors

if TYPE_CHECKING:  # it needs pymilvus
    from index.milvus.collection import Collection

FLAT_ROWS = 250_000
"""Vectors up to which an exact search takes few milliseconds as they are; beyond that half the bytes pay."""


class Store(Protocol):
    """Vectors by row; `search` gives the most similar rows by inner product."""

    def __len__(self) -> int: ...

    def search(self, queries: Vectors, count: int, among: range | None = None) -> tuple[Rows, Scores]:
        """queries (Q, D) -> rows (Q, K), scores (Q, K), best first, equal scores by row; K = min(count, len).

        `among`: only these rows are searched, and K is at most their number. Which of several rows that tie for the
        last place are found is left open. Scores are exact; whether the rows are is said by each store. Raises
        StoreAway where the vectors are searched elsewhere and that cannot be done at present.
        """

    def vectors(self, rows: Rows) -> Vectors:
        """(R,) -> (R, D), as they were given."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a store is made from."""

    vectors: Vectors
    """(N, D); they must never change: they are searched where they lie."""
    cells: Cells | None = None
    collection: "Collection | None" = None
    """The same vectors in Milvus."""


def open_store(name: str, material: Material) -> Store:
    """Makes vectors searchable.

    Raises UnknownName, IndexProblem where the store needs what there is not: cells, or a collection in Milvus.
    """
    return pick(STORES, "store", name)(material)


def _auto(material: Material) -> Store:
    if material.cells:
        return IvfStore(material.vectors, material.cells)
    large = len(material.vectors) > FLAT_ROWS
    return Float16Store(material.vectors) if large else FlatStore(material.vectors)


def _cells(material: Material) -> Store:
    if material.cells is None:
        raise IndexProblem("The index is not sorted into cells; build it again with BOXFIND_STORE=cells.")
    return IvfStore(material.vectors, material.cells)


def _milvus(material: Material) -> Store:
    if material.collection is None:
        raise IndexProblem("BOXFIND_STORE=milvus needs the address of Milvus; set BOXFIND_MILVUS_URI (docs/milvus.md).")
    return MilvusStore(material.vectors, material.collection)


STORES: dict[str, Callable[[Material], Store]] = {
    "auto": _auto,
    "flat": lambda material: FlatStore(material.vectors),
    "half": lambda material: Float16Store(material.vectors),
    "cells": _cells,
    "milvus": _milvus,
}
"""`flat` and `half` find exactly the nearest, `cells` nearly all of them, `milvus` what its index does; `auto` is what
suits the size."""
