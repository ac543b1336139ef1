"""The Store protocol and the available vector stores."""

from collections.abc import Callable
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
    """Inner-product search over vectors (N, D) by row. Stores search the vectors in place, so they must not change."""

    def search(self, query: Vectors, count: int, among: range) -> tuple[Rows, Scores]:
        """The rows in `among` nearest to query (D,) -> rows (K,), scores (K,), best first, equal scores by row.

        K = min(count, len(among)). If several rows tie for the last place, any of them may be returned. Scores are
        exact; each store documents whether it always finds the nearest rows. Raises StoreUnavailable if a remote store
        is unavailable.
        """


def open_store(
    name: str, vectors: Vectors, cells: Cells | None = None, collection: "Collection | None" = None
) -> Store:
    """Open the store called `name`, a key of STORES. `collection` holds the same vectors in Milvus.

    Raises UnknownName, and IndexProblem if the store needs cells or a Milvus collection and there is none.
    """
    return pick(STORES, "store", name)(vectors, cells, collection)


def _auto(vectors: Vectors, cells: Cells | None, _: object) -> Store:
    if cells:
        return IvfStore(vectors, cells)
    return Float16Store(vectors) if len(vectors) > FLAT_ROWS else FlatStore(vectors)


def _cells(vectors: Vectors, cells: Cells | None, _: object) -> Store:
    if cells is None:
        raise IndexProblem("The index has no cells; rebuild it with BOXFIND_STORE=cells.")
    return IvfStore(vectors, cells)


def _milvus(vectors: Vectors, _: object, collection: "Collection | None") -> Store:
    if collection is None:
        raise IndexProblem("BOXFIND_STORE=milvus needs the address of Milvus; set BOXFIND_MILVUS_URI (docs/milvus.md).")
    return MilvusStore(vectors, collection)


STORES: dict[str, Callable[[Vectors, Cells | None, "Collection | None"], Store]] = {
    "auto": _auto,
    "flat": lambda vectors, *_: FlatStore(vectors),
    "half": lambda vectors, *_: Float16Store(vectors),
    "cells": _cells,
    "milvus": _milvus,
}
"""`flat` and `half` are exact, `cells` is approximate, `milvus` depends on its index type.

`auto` uses `cells` if the index has them, else `half` above FLAT_ROWS vectors, else `flat`.
"""
