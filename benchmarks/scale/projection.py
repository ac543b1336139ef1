"""Project the cost of galleries too large for this machine: python -m benchmarks.scale.projection.

Nothing is measured here. The rates come from RESULTS.md and EXPERIMENTS.md, the prices are assumptions; change either
and run it again.
"""

from dataclasses import dataclass

from benchmarks.results import table

SIZES = (1_000_000, 100_000_000, 1_000_000_000)
VECTORS = 15
"""Per picture, with the default regions."""
DIMENSIONS = 256


@dataclass(frozen=True, slots=True)
class Slopes:
    """Measured on two virtual cores with bfloat16, with the default of 15 vectors and 500 keypoints per picture."""

    pictures_a_second: float = 24.9
    quick_pictures_a_second: float = 54.3
    """In 8-bit integers and without keypoints."""
    disk: float = 96e3
    """Bytes per picture: vectors, keypoints, thumbnail."""
    cell: float = 266
    """Bytes of memory per vector of the store `cells`."""
    pair: float = 8.8 / 41_954**2
    """Seconds per pair of regions when the graph of `best` is built from scratch."""


@dataclass(frozen=True, slots=True)
class Prices:
    """In dollars; assumed, roughly those of large providers."""

    core_hour: float = 0.05
    disk_month: float = 0.08
    """A gigabyte of SSD for a month."""
    memory_month: float = 3.5
    """A gigabyte of memory for a month."""


def main() -> None:
    slopes, prices = Slopes(), Prices()
    columns = [_column(size, slopes, prices) for size in SIZES]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    print(table(["pictures", *(f"{size:,}" for size in SIZES)], rows))


def _column(pictures: int, slopes: Slopes, prices: Prices) -> dict[str, str]:
    vectors = pictures * VECTORS
    hours, quick = (pictures / rate / 3600 for rate in (slopes.pictures_a_second, slopes.quick_pictures_a_second))
    disk, floats, cells = pictures * slopes.disk / 1e9, vectors * DIMENSIONS * 4 / 1e9, vectors * slopes.cell / 1e9
    graph = pictures**2 * slopes.pair / 3600
    return {
        "vectors": f"{vectors:,}",
        "build on 2 cores": _hours(hours),
        "build on 64 cores": _hours(hours / 32),
        "build in int8 without keypoints, on 64 cores": _hours(quick / 32),
        "build, in dollars": f"{2 * hours * prices.core_hour:,.0f}",
        "graph of `best`, on 2 cores": _hours(graph),
        "disk": _gigabytes(disk),
        "of this, vectors": _gigabytes(floats),
        "disk, in dollars a month": f"{disk * prices.disk_month:,.0f}",
        "memory of `cells`": _gigabytes(cells),
        "memory of Milvus HNSW or IVF_FLAT, at least": _gigabytes(floats),
        "this memory, in dollars a month": f"{floats * prices.memory_month:,.0f}",
    }


def _hours(hours: float) -> str:
    return f"{hours * 60:.0f} min" if hours < 1 else f"{hours:,.0f} h" if hours < 1000 else f"{hours / 24:,.0f} days"


def _gigabytes(count: float) -> str:
    return f"{count:,.0f} GB" if count < 1000 else f"{count / 1000:,.1f} TB"


if __name__ == "__main__":
    main()
