"""Project the cost of galleries too large for one machine: python -m benchmarks.projection.

Nothing is measured here. The rates come from RESULTS.md and EXPERIMENTS.md, the prices are assumptions; change either
and run it again.
"""

import numpy as np

from benchmarks.results import table

PICTURES = np.array([1_000_000, 100_000_000, 1_000_000_000])
VECTORS = 15 * PICTURES
BYTES_OF_VECTOR = 4 * 256

# Measured on two virtual cores with bfloat16
PER_SECOND = 24.9
PER_SECOND_IN_INT8 = 54.3
"""Pictures, in 8-bit integers and without keypoints."""
DISK = 96e3
"""Bytes per picture: vectors, keypoints, thumbnail."""
CELLS = 266
"""Bytes of memory per vector of the store `cells`."""
GRAPH = 11.0 / 2 / 100_000**1.5
"""Seconds to build the graph of `best` by the power 1.5 of the pictures, of each of which one region is in it."""

# Assumed prices in dollars, roughly those of large providers
CORE_HOUR = 0.05
DISK_MONTH = 0.08
"""A gigabyte of SSD."""
MEMORY_MONTH = 3.5
"""A gigabyte of memory."""


def main() -> None:
    hours = PICTURES / PER_SECOND / 3600
    disk, floats = DISK * PICTURES / 1e9, BYTES_OF_VECTOR * VECTORS / 1e9
    rows = {
        "vectors": map("{:,}".format, VECTORS),
        "build on 2 cores": map(_hours, hours),
        "build on 64 cores": map(_hours, hours / 32),
        "build in int8 without keypoints, on 64 cores": map(_hours, PICTURES / PER_SECOND_IN_INT8 / 3600 / 32),
        "build, in dollars": map("{:,.0f}".format, 2 * hours * CORE_HOUR),
        "graph of `best`, on 2 cores": map(_hours, PICTURES.astype(float) ** 1.5 * GRAPH / 3600),
        "disk": map(_gigabytes, disk),
        "of this, vectors": map(_gigabytes, floats),
        "disk, in dollars a month": map("{:,.0f}".format, disk * DISK_MONTH),
        "memory of `cells`": map(_gigabytes, VECTORS * CELLS / 1e9),
        "memory of Milvus HNSW or IVF_FLAT, at least": map(_gigabytes, floats),
        "this memory, in dollars a month": map("{:,.0f}".format, floats * MEMORY_MONTH),
    }
    print(table(["pictures", *map("{:,}".format, PICTURES)], [[name, *cells] for name, cells in rows.items()]))


def _hours(hours: float) -> str:
    return f"{hours * 60:.0f} min" if hours < 1 else f"{hours:,.0f} h" if hours < 1000 else f"{hours / 24:,.0f} days"


def _gigabytes(count: float) -> str:
    return f"{count:,.0f} GB" if count < 1000 else f"{count / 1000:,.1f} TB"


if __name__ == "__main__":
    main()
