"""The Store protocol and the available vector stores."""

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

if TYPE_CHECKING:  # requires pymilvus
    from index.milvus.collection import Collection

FLAT_ROWS = 250_000
"""Up to this many vectors a float32 scan takes a few milliseconds; above it float16 copies are faster."""


class Store(Protocol):
    """Inner-product search over vectors by row."""

    def __len__(self) -> int: ...

    def search(self, queries: Vectors, count: int, among: range | None = None) -> tuple[Rows, Scores]:
        """queries (Q, D) -> rows (Q, K), scores (Q, K), best first, equal scores by row; K = min(count, len).

        `among` restricts the search to these rows, and K to their number. If several rows tie for the last place, any
        of them may be returned. Scores are exact; each store documents whether it always finds the nearest rows.
        Raises StoreAway if a remote store is unavailable.
        """

    def vectors(self, rows: Rows) -> Vectors:
        """rows (R,) -> (R, D), as stored."""


@dataclass(frozen=True, slots=True)
class Material:
    """Inputs for opening a store."""

    vectors: Vectors
    """(N, D). Stores search them in place, so they must not change."""
    cells: Cells | None = None
    collection: "Collection | None" = None
    """The same vectors in Milvus."""


def open_store(name: str, material: Material) -> Store:
    """Open the store called `name`, a key of STORES.

    Raises UnknownName, and IndexProblem if the store needs cells or a Milvus collection and `material` has none.
    """
    return pick(STORES, "store", name)(material)


def _auto(material: Material) -> Store:
    if material.cells:
        return IvfStore(material.vectors, material.cells)
    large = len(material.vectors) > FLAT_ROWS
    return Float16Store(material.vectors) if large else FlatStore(material.vectors)


def _cells(material: Material) -> Store:
    if material.cells is None:
        raise IndexProblem("The index has no cells; rebuild it with BOXFIND_STORE=cells.")
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
"""`flat` and `half` are exact, `cells` is approximate, `milvus` depends on its index type.

`auto` uses `cells` if the index has them, else `half` above FLAT_ROWS vectors, else `flat`.
"""
