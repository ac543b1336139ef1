"""Compare the local stores with Milvus Lite: python -m benchmarks.speed.store_comparison --index DIR [--queries N].

All stores search the vectors of one index, each in its own process. Needs the extra milvus.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.results import keep, table
from benchmarks.scale.measure import NEAREST, TOP, exact_answers, own_memory
from benchmarks.scale.synthetic_gallery import NOISE, near
from index.storage.arrays import write_cells
from index.storage.generation import current_folder
from index.stores.ivf import make_cells
from index.stores.store import Store, open_store
from retrieval.types import Rows, Vectors, quiet

QUERIES = 200
SEED = 2**32
HEADER = ["store", "ready after s", "search ms p50", "p95", f"recall@{NEAREST}", "MB in memory", "MB on disk"]
NOTE = """{:,} region vectors of {} dimensions ({:.0f} MB, which every store reads from disk and which are not counted
below); {} queries, unit(v + noise) for random vectors v and noise of length {}, one at a time, the {} nearest. Recall
is the share of the {} nearest by exact search. *Ready* is the time from the vectors to the first answer: clustering,
copying, uploading, indexing and loading. Milvus is milvus-lite in the same process, reached through gRPC on this
machine; a separate server was not measured."""


@dataclass(frozen=True, slots=True)
class Measured:
    ready: float
    searches: tuple[float, ...]
    """Seconds of each query."""
    recall: float
    memory: int
    disk: int
    """Like `memory`, bytes in addition to the vectors themselves."""

    @property
    def cells(self) -> list[str]:
        middle, late = 1000 * np.quantile(self.searches, [0.5, 0.95])
        megabytes = (f"{size / 1e6:.1f}" for size in (self.memory, self.disk))
        return [f"{self.ready:.1f}", f"{middle:.1f}", f"{late:.1f}", f"{self.recall:.3f}", *megabytes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=QUERIES)
    given = parser.parse_args()
    path = current_folder(given.index) / "vectors.npy"
    vectors = np.load(path, mmap_mode="r")
    queries = near(vectors, given.queries, SEED)
    exact = exact_answers(path, len(vectors), queries)
    rows = []
    for name in STORES:
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:
            rows.append([name, *apart.submit(measure, name, path, queries, exact).result().cells])
        print(rows[-1], flush=True)
    note = NOTE.format(*vectors.shape, vectors.nbytes / 1e6, len(queries), NOISE, TOP, NEAREST)
    keep("Local stores and Milvus", "\n\n".join([note, table(HEADER, rows)]))


def measure(name: str, path: Path, queries: Vectors, exact: Rows) -> Measured:
    """queries (Q, D), exact (Q, NEAREST): rows of the true nearest vectors."""
    vectors = np.asarray(np.load(path, mmap_mode="r"))
    make = STORES[name]
    with tempfile.TemporaryDirectory() as scratch:
        before, began = own_memory(), time.perf_counter()
        store = make(vectors, Path(scratch))
        store.search(queries[0], TOP, range(len(vectors)))
        ready, memory = time.perf_counter() - began, own_memory() - before
        seconds, shares = [], []
        for query, right in zip(queries, exact, strict=True):
            began = time.perf_counter()
            found, _ = store.search(query, TOP, range(len(vectors)))
            seconds.append(time.perf_counter() - began)
            shares.append(np.isin(right, found[:NEAREST]).mean())
        disk = sum(file.stat().st_size for file in Path(scratch).rglob("*") if file.is_file())
        return Measured(ready, tuple(seconds), float(np.mean(shares)), max(memory, 0), disk)


def _cells(vectors: Vectors, folder: Path) -> Store:
    cells = make_cells(vectors, quiet)
    write_cells(folder, cells)
    return open_store("cells", vectors, cells)


def _milvus(index: str) -> Callable[[Vectors, Path], Store]:
    def make(vectors: Vectors, folder: Path) -> Store:
        from index.milvus.client import Access, Milvus
        from index.milvus.collection import Collection

        collection = Collection(Milvus(Access(str(folder / "vectors.db"), index=index, timeout=60.0)), "all", vectors)
        collection.fill({}, quiet)
        return open_store("milvus", vectors, collection=collection)

    return make


STORES: dict[str, Callable[[Vectors, Path], Store]] = {
    "flat": lambda vectors, _: open_store("flat", vectors),
    "half": lambda vectors, _: open_store("half", vectors),
    "cells": _cells,
    "Milvus, FLAT": _milvus("FLAT"),
    "Milvus, IVF_FLAT": _milvus("IVF_FLAT"),
    "Milvus, HNSW": _milvus("HNSW"),
}


if __name__ == "__main__":
    main()
