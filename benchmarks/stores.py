"""Vector stores on this machine compared with Milvus Lite. Needs the extra milvus."""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import psutil

from benchmarks.bench import Bench
from benchmarks.results import milliseconds, record, table
from index.storage.arrays import read_cells, write_cells
from index.stores.flat_store import nearest
from index.stores.ivf import make_cells, update_cells
from index.stores.store import Store, open_store
from retrieval.types import Rows, Vectors, quiet, unit

if TYPE_CHECKING:  # requires pymilvus
    from index.milvus.collection import Collection

T = TypeVar("T")

LOCAL = ("flat", "half", "cells")
MILVUS = ("Milvus, FLAT", "Milvus, IVF_FLAT", "Milvus, HNSW")
QUERIES, QUERY_SEED = 200, 2**32
TOP = 160
"""Number of nearest regions that `fast` requests."""
NEAREST = 10
NOISE = 0.5
"""Length of the noise added to a unit vector; the normalised sum has a cosine of about 0.89 with it."""
ADDED = 0.01
TIME_LIMIT = 30.0
"""Seconds after which no further query starts."""
HEADER = ["store", "ready after s", "search ms p50", "p95", f"recall@{NEAREST}", "MB in memory", "MB on disk"]


@dataclass(frozen=True, slots=True)
class Row:
    """Measurements of one store. Times in seconds, sizes in bytes."""

    vectors: int
    store: str
    probes: str
    """Searched cells of all cells: "3 of 1,000"."""
    make: float
    add: float
    disk: int
    """Without the vectors."""
    open: float
    queries: list[float]
    recall: float
    memory: int

    @property
    def p95(self) -> float:
        """95th percentile of the search time, in milliseconds."""
        return 1000 * float(np.quantile(self.queries, 0.95))


def measure(bench: Bench) -> None:
    path = bench.engine.gallery().folder / "vectors.npy"
    vectors = mapped(path)
    count = round(len(vectors) / (1 + ADDED))
    rows = compare((*LOCAL, *MILVUS), path, count, near(vectors, QUERIES, QUERY_SEED))
    cells = []
    for row in rows:
        figures = [*milliseconds(row.queries, 1), f"{row.recall:.3f}"]
        megabytes = [f"{size / 1e6:.1f}" for size in (row.memory, row.disk)]
        cells.append([row.store, f"{row.make + row.open:.1f}", *figures, *megabytes])
    record("Local stores and Milvus", table(HEADER, cells))


def compare(stores: Sequence[str], path: Path, count: int, queries: Vectors) -> list[Row]:
    """Measure stores of the first `count` vectors of a table, whose further vectors are added.

    Each store is made in a new process and searched in another, so that memory is measured from a clean start.
    """
    exact = nearest(mapped(path), queries, NEAREST, range(count))[0]
    rows = []
    for name in stores:
        with tempfile.TemporaryDirectory() as folder:
            made = in_new_process(make, name, path, count, Path(folder))
            searched = in_new_process(search, name, path, count, Path(folder), queries, exact)
        rows.append(Row(count, name, *made, *searched))
        print(rows[-1].vectors, name, f"{rows[-1].p95:.1f} ms", file=sys.stderr, flush=True)
    return rows


def make(name: str, path: Path, count: int, folder: Path) -> tuple[str, float, float, int]:
    """Cluster the vectors into cells, or upload them to Milvus; other stores need nothing.

    Returns the searched cells, the seconds to make the store and to add 1 %, and its bytes on disk without the vectors.
    """
    vectors = mapped(path)
    probes, seconds, adding = "–", 0.0, 0.0
    if name in MILVUS:
        seconds, _ = timed(lambda: _collection(name, vectors[:count], folder).fill({}, quiet))
    if name == "cells":
        seconds, cells = timed(lambda: make_cells(vectors[:count], quiet))
        write_cells(folder, cells)
        grown = vectors[: round(count * (1 + ADDED))]
        adding, _ = timed(lambda: update_cells(cells, np.arange(count), grown, quiet))
        probes = f"{cells.probes} of {len(cells.centroids):,}"
    disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return probes, seconds, adding, disk


def search(
    name: str, path: Path, count: int, folder: Path, queries: Vectors, exact: Rows
) -> tuple[float, list[float], float, int]:
    """Search one query at a time, as visitors do. queries (Q, D), exact (Q, NEAREST).

    Returns the seconds to open the store and of each query, the recall of the ten nearest, and bytes of memory.
    """
    vectors = mapped(path)[:count]
    before = private_memory()
    opened, store = timed(lambda: _open(name, vectors, folder))
    memory = max(private_memory() - before, 0)
    store.search(queries[0], TOP, range(count))  # warms the CPU caches
    seconds, shares = list[float](), []
    for query, correct in zip(queries, exact, strict=True):
        took, (found, _) = timed(partial(store.search, query, TOP, range(count)))
        seconds.append(took)
        shares.append(np.isin(correct, found[:NEAREST]).mean())
        if sum(seconds) > TIME_LIMIT:
            break
    return opened, seconds, float(np.mean(shares)), memory


def near(vectors: Vectors, count: int, seed: int) -> Vectors:
    """unit(v + noise) for random rows v of vectors, (N, D) -> (count, D)."""
    rng = np.random.default_rng([7, seed])
    noise = rng.standard_normal((count, vectors.shape[1]), np.float32)
    noise *= NOISE / np.sqrt(np.float32(vectors.shape[1]))
    return unit(vectors[rng.integers(0, len(vectors), count)] + noise)


def mapped(path: Path) -> Vectors:
    """The vectors of a .npy file, read from disk on access."""
    return np.asarray(np.load(path, mmap_mode="r"))


def _open(name: str, vectors: Vectors, folder: Path) -> Store:
    if name in MILVUS:
        store = open_store("milvus", vectors, collection=_collection(name, vectors, folder))
        store.search(vectors[0], TOP, range(len(vectors)))  # loads the collection
        return store
    cells = read_cells(folder, *vectors.shape) if name == "cells" else None
    return open_store(name, vectors, cells)


def _collection(name: str, vectors: Vectors, folder: Path) -> "Collection":
    from index.milvus.client import Access, Milvus
    from index.milvus.collection import Collection

    access = Access(str(folder / "vectors.db"), index=name.removeprefix("Milvus, "), timeout=60.0)
    return Collection(Milvus(access), "all", vectors)


def private_memory() -> int:
    """Bytes of this process without mapped files."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - memory.shared)


def timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def in_new_process(work: Callable[..., T], *given: object) -> T:
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(work, *given).result()
