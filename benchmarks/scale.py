"""Search time, memory and disk of the local stores, with up to --vectors vectors.

The region vectors of the index are replicated with noise. They are written to the temporary folder (TMPDIR).
"""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from pathlib import Path

import numpy as np
from jinja2 import Template

from benchmarks.bench import Bench
from benchmarks.results import milliseconds, record, table
from benchmarks.stores import ADDED, LOCAL, NEAREST, QUERIES, QUERY_SEED, Row, compare, mapped, near
from retrieval.types import Vectors

Point = tuple[float, float]
"""Number of vectors, and the 95th percentile of the search time in milliseconds."""

SIZES = (10_000, 100_000, 1_000_000, 4_000_000, 20_000_000)
PROJECTED = 100_000_000
CHUNK = 65_536
PLOT = Path(__file__).parents[1] / "docs" / "images" / "scale.svg"
TEMPLATE = Path(__file__).parent / "scale.svg.jinja"
LEFT, RIGHT, TOP, BOTTOM, LINE = 70, 590, 50, 380, 14
"""Edges of the plane and line height in the template, in pixels."""
COLOURS = ("#1f5fa8", "#c05a00", "#2b7a3f")
HEADER = [
    *("vectors", "store", "cells searched", "make s", f"add {ADDED:.0%} s", "open s", "search ms p50", "p95"),
    *(f"recall@{NEAREST}", "memory B per vector", "disk B per vector"),
]


def measure(bench: Bench) -> None:
    real = mapped(bench.engine.gallery().folder / "vectors.npy")
    sizes = [size for size in SIZES if size <= bench.vectors]
    path = bench.scratch / "vectors.npy"
    write_vectors(real, round(sizes[-1] * (1 + ADDED)), path)
    queries = near(real, QUERIES, QUERY_SEED)
    rows = [row for size in sizes for row in compare(LOCAL, path, size, queries)]
    path.unlink()
    measured = {name: [(row.vectors, row.p95) for row in rows if row.store == name] for name in LOCAL}
    projected = {name: (PROJECTED, extrapolated(points, PROJECTED)) for name, points in measured.items()}
    record(
        "Scale: vectors",
        table(HEADER, [_cells(row, 4 * real.shape[1]) for row in rows]),
        table(
            ["store", f"p95 ms, projected to {PROJECTED:,} vectors"],
            [[name, f"{time:,.0f}"] for name, (_, time) in projected.items()],
        ),
    )
    if not bench.short:
        PLOT.write_text(plot(measured, projected), encoding="utf-8")


def _cells(row: Row, bytes_of_vector: int) -> list[str]:
    return [
        f"{row.vectors:,}",
        row.store,
        row.probes,
        f"{row.make:.1f}",
        f"{row.add:.1f}",
        f"{row.open:.2f}",
        *milliseconds(row.queries, 1),
        f"{row.recall:.3f}",
        f"{row.memory / row.vectors:,.0f}",
        f"{bytes_of_vector + row.disk / row.vectors:,.0f}",
    ]


def write_vectors(vectors: Vectors, count: int, path: Path) -> None:
    """Write `count` synthetic vectors to a .npy file, in chunks. Its first N rows are a gallery of N vectors."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, vectors.shape[1])}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for number, start in enumerate(range(0, count, CHUNK)):
            near(vectors, min(CHUNK, count - start), number).tofile(file)


def extrapolated(points: Sequence[Point], x: float) -> float:
    """Continue the line through the last two points on logarithmic scales."""
    (x0, y0), (x1, y1) = np.log(points[-2:])
    return float(np.exp(y1 + (y1 - y0) / (x1 - x0) * (np.log(x) - x1)))


def plot(measured: Mapping[str, Sequence[Point]], projected: Mapping[str, Point]) -> str:
    """An SVG with logarithmic axes. A dashed line joins the last measured and the projected point of each store."""
    every = [point for points in measured.values() for point in points] + list(projected.values())
    across, up = (range(floor(log10(min(values))), ceil(log10(max(values))) + 1) for values in zip(*every, strict=True))

    def at(x: float, y: float) -> Point:
        return (
            round(LEFT + (RIGHT - LEFT) * (log10(x) - across[0]) / (across[-1] - across[0]), 1),
            round(BOTTOM - (BOTTOM - TOP) * (log10(y) - up[0]) / (up[-1] - up[0]), 1),
        )

    curves, label = [], 0.0
    for name in sorted(projected, key=lambda name: -projected[name][1]):  # from the top, for the places of the labels
        points, end = [at(*point) for point in measured[name]], at(*projected[name])
        label = max(end[1], label + LINE)
        colour = COLOURS[list(measured).index(name)]
        curves.append({"name": name, "colour": colour, "measured": points, "dashed": [points[-1], end], "label": label})
    columns = [(at(10**power, 10 ** up[0])[0], power) for power in across]
    rows = [(at(10 ** across[0], 10**power)[1], power) for power in up]
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    return str(template.render(columns=columns, rows=rows, curves=curves)) + "\n"
