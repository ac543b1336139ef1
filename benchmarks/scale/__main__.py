"""Measure how each vector store scales: python -m benchmarks.scale --index DIR [--most N] [--folder DIR].

The region vectors of an index are replicated with noise, up to the limits of disk, memory and --most.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.results import keep, table
from benchmarks.scale.measure import ADDED, NEAREST, TOP, Made, Searched, exact_answers, make, search
from benchmarks.scale.plot import draw
from benchmarks.scale.synthetic_gallery import NOISE, near, write_table
from index.storage.generation import current_folder

T = TypeVar("T")

SIZES = (10_000, 100_000, 1_000_000, 4_000_000, 20_000_000)
PROJECTED = 100_000_000
STORES = ("flat", "half", "cells")
QUERIES = 200
MEMORY = 16 * 1024**3
"""Upper limit of the memory of a store, in bytes."""
SPARE = 1024**3
"""Bytes of memory and of disk that stay free."""
VECTORS_OF_PICTURE = (15,)
PLOT = Path(__file__).parents[2] / "docs" / "images" / "scale.svg"
HEADER = [
    "vectors", "store", "cells searched", "make s", f"add {ADDED:.0%} s", "open s",
    "search ms p50", "p95", f"recall@{NEAREST}",
    "memory B per vector", "disk B per vector", *(f"disk KB per picture of {count}" for count in VECTORS_OF_PICTURE),
    "peak memory GB",
]  # fmt: skip
NOTE = f"""Vectors: unit(v + noise) for random real region vectors v and normal noise of length {NOISE}; queries are
drawn in the same way with another seed, one at a time, the {TOP} nearest, {QUERIES} of them or as many as fit into
half a minute. Recall is the share of the {NEAREST} nearest by exact search. *make* and *add* are the work of a store
beyond the vectors themselves; flat and half are reopened instead. Memory is the private memory of a process: pages of
vectors.npy belong to the system, which caches as many of them as fit. Rows with ~ are projections: the line through
the last two sizes in the plot."""


@dataclass(frozen=True, slots=True)
class Row:
    vectors: int
    store: str
    dimensions: int
    made: Made | None
    searched: Searched

    @property
    def p95(self) -> float:
        """95th percentile of the search time, in milliseconds."""
        return 1000 * float(np.quantile(self.searched.queries, 0.95))

    @property
    def cells(self) -> list[str]:
        disk = 4 * self.dimensions + (self.made.disk / self.vectors if self.made else 0)
        peak = max(self.searched.peak, self.made.peak if self.made else 0)
        return [
            f"{self.vectors:,}",
            self.store,
            self.made.probes if self.made else "–",
            f"{self.made.make:.1f}" if self.made else "–",
            f"{self.made.add:.1f}" if self.made else f"{self.searched.open:.2f}",
            f"{self.searched.open:.2f}",
            f"{1000 * np.median(self.searched.queries):.1f}",
            f"{self.p95:.1f}",
            f"{self.searched.recall:.3f}",
            f"{self.searched.memory / self.vectors:,.0f}",
            f"{disk:,.0f}",
            *(f"{disk * count / 1000:.1f}" for count in VECTORS_OF_PICTURE),
            f"{peak / 1e9:.2f}",
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, required=True, help="the index whose region vectors are replicated")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="vectors of the largest gallery")
    parser.add_argument("--folder", type=Path, help="folder for the vectors, which are deleted afterwards")
    given = parser.parse_args()
    real = np.load(current_folder(given.index) / "vectors.npy", mmap_mode="r")
    with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
        sizes = _sizes(given.most, real.shape[1], Path(scratch))
        if not sizes:
            sys.exit(f"The disk is too small for any gallery; the smallest has {SIZES[0]:,} vectors. Free some space.")
        print("\n" + " | ".join(HEADER), flush=True)
        rows = list(_rows(np.asarray(real), sizes, Path(scratch) / "vectors.npy"))
    further = {store: point for store in STORES if (point := _projected(rows, store))}
    lines = [f"~ {PROJECTED:,} vectors, {store}: p95 {point[1]:,.0f} ms" for store, point in further.items()]
    picture = f"![Search time against vectors](../docs/images/{PLOT.name})"
    keep("Scale: vectors", "\n\n".join([table(HEADER, [row.cells for row in rows]), *lines, NOTE, picture]))
    measured = {store: [(row.vectors, row.p95) for row in rows if row.store == store] for store in STORES}
    draw(
        PLOT,
        "Search time by the number of vectors (dashed: projected)",
        {store: points for store, points in measured.items() if points},
        {store: [point] for store, point in further.items()},
    )


def _sizes(most: int, dimensions: int, folder: Path) -> list[int]:
    """The sizes that fit on the disk."""
    room = (shutil.disk_usage(folder).free - SPARE) // (4 * dimensions)
    fitting = [size for size in SIZES if size <= most and size * (1 + ADDED) <= room]
    left_out = [f"{size:,}" for size in SIZES if size <= most and size not in fitting]
    if left_out:
        print(f"Skipping {', '.join(left_out)} vectors: not enough disk space.", flush=True)
    return fitting


def _rows(real: np.ndarray, sizes: list[int], path: Path) -> Iterator[Row]:
    write_table(real, round(sizes[-1] * (1 + ADDED)), path)
    queries = near(real, QUERIES, seed=2**32)
    for size in sizes:
        exact = _apart(exact_answers, path, size, queries)
        for store in STORES:
            needed = _bytes_of(store, real.shape[1]) * size
            if needed > min(MEMORY, _free_memory()) - SPARE:
                print(f"{size:,} | {store} | skipped: needs {needed / 1e9:.1f} GB of memory", flush=True)
                continue
            made = _apart(make, path, size) if store == "cells" else None
            searched = _apart(search, path, size, store, queries, exact)
            row = Row(size, store, real.shape[1], made, searched)
            print(" | ".join(row.cells), flush=True)
            yield row


def _apart(work: Callable[..., T], *given: object) -> T:
    """Run in a new process, so that memory is measured from a clean start."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(work, *given).result()


def _bytes_of(store: str, dimensions: int) -> int:
    return {"flat": 0, "half": 2 * dimensions, "cells": dimensions + 12}[store]


def _free_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else []:
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    return MEMORY


def _projected(rows: list[Row], store: str) -> tuple[float, float] | None:
    """Log-log extrapolation of the last two sizes to PROJECTED vectors; None with fewer than two sizes."""
    last = [(float(row.vectors), row.p95) for row in rows if row.store == store][-2:]
    if len(last) < 2:
        return None
    (x0, y0), (x1, y1) = np.log(last)
    return float(PROJECTED), float(np.exp(y1 + (y1 - y0) / (x1 - x0) * (np.log(PROJECTED) - x1)))


if __name__ == "__main__":
    main()
