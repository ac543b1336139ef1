"""Measure the cost of one store on one table of vectors. Run each measurement in its own process."""

import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from index.storage.arrays import read_cells, write_cells
from index.stores.flat_store import nearest
from index.stores.ivf import make_cells, update_cells
from index.stores.store import open_store
from retrieval.types import Rows, Vectors, quiet

T = TypeVar("T")

ADDED = 0.01
TOP = 160
"""Nearest regions that `fast` requests."""
NEAREST = 10
TIME_LIMIT = 30.0
"""Seconds after which no further query starts."""


@dataclass(frozen=True, slots=True)
class Made:
    """Seconds to cluster a table into cells and to add 1 %; size of cells.npz and peak memory in bytes."""

    make: float
    add: float
    disk: int
    peak: int
    probes: str
    """Probed cells of all cells: "3 of 1,000"."""


@dataclass(frozen=True, slots=True)
class Searched:
    """Seconds to open a store and of each query, recall of the ten nearest, and memory in bytes."""

    open: float
    queries: tuple[float, ...]
    recall: float
    memory: int
    peak: int


class OwnMemory:
    """Peak private memory of this process in bytes; pages of mapped files are not counted."""

    def __init__(self) -> None:
        self.before, self.most = own_memory(), 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.most = max(self.most, own_memory())


def own_memory() -> int:
    """Private memory of this process in bytes; 0 without /proc."""
    path = Path(f"/proc/{os.getpid()}/status")
    found = re.search(r"RssAnon:\s*(\d+) kB", path.read_text()) if path.exists() else None
    return 1024 * int(found[1]) if found else 0


def exact_answers(table: Path, rows: int, queries: Vectors) -> Rows:
    """queries (Q, D) -> rows of the nearest vectors (Q, NEAREST)."""
    return nearest(_mapped(table), queries, NEAREST, range(rows))[0]


def make(table: Path, rows: int) -> Made:
    """Cluster the table into cells, and write cells.npz next to it."""
    vectors = _mapped(table)
    with OwnMemory() as memory:
        made, cells = _timed(lambda: make_cells(vectors[:rows], quiet))
        write_cells(table.parent, cells)
        grown = vectors[: rows + round(ADDED * rows)]
        added, _ = _timed(lambda: update_cells(cells, np.arange(rows), grown, quiet))
    disk = (table.parent / "cells.npz").stat().st_size
    return Made(made, added, disk, memory.most, f"{cells.probes} of {len(cells.centroids):,}")


def search(table: Path, rows: int, store: str, queries: Vectors, exact: Rows) -> Searched:
    """Search one query at a time, as visitors do; exact (Q, NEAREST)."""
    vectors = _mapped(table)[:rows]
    seconds, shares = [], []
    with OwnMemory() as memory:
        cells = read_cells(table.parent, rows, vectors.shape[1]) if store == "cells" else None
        opened, searched = _timed(lambda: open_store(store, vectors, cells))
        taken = own_memory() - memory.before
        began = time.perf_counter()
        searched.search(queries[0], TOP, range(rows))  # warms the CPU caches
        for query, true in zip(queries, exact, strict=True):
            took, (found, _) = _timed(partial(searched.search, query, TOP, range(rows)))
            seconds.append(took)
            shares.append(len(set(found[:NEAREST].tolist()) & set(true.tolist())) / NEAREST)
            if time.perf_counter() - began > TIME_LIMIT:
                break
    return Searched(opened, tuple(seconds), float(np.mean(shares)), max(taken, 0), memory.most)


def _mapped(table: Path) -> Vectors:
    return np.asarray(np.load(table, mmap_mode="r"))


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result
