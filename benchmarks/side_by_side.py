"""Other programs and this one on the same pictures with the same network: speed, memory and quality.

Each program runs in a process of its own. See other_tools.py for the others, whose queries are the pixels of the box.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Template

from benchmarks.bench import Bench
from benchmarks.measured_process import ProcessFailed, in_measured_process
from benchmarks.other_tools import OTHER_TOOLS, Outcome
from benchmarks.part_of_dataset import part_of_dataset
from benchmarks.results import record, table
from boxfind.embedders import embedder_for_building
from boxfind.engine import Engine
from boxfind.evaluation.batch import answer_all
from boxfind.evaluation.dataset import BoxedQuery, Dataset
from boxfind.evaluation.metrics import PROTOCOLS, Quality, mean_quality
from boxfind.settings import Settings
from retrieval.images.decode import load_image
from retrieval.types import Image, quiet

PICTURES = 500
ROUNDS = 3
"""A short run has one round."""
OURS: dict[str, dict[str, Any]] = {
    "Boxfind": {},
    "Boxfind without keypoints": {"keypoints": 0},
    "Boxfind, one vector of 224 pixels": {"side": 224, "regions": ("whole",), "keypoints": 0},
}
"""Name -> changed settings."""
RANKINGS = ("fast", "best")
HEADER = ["program", "pictures/s", "vectors per picture", "MB at most", "mAP", "P@10", "query ms p50"]
PLOT = Path(__file__).parents[1] / "docs" / "images" / "side-by-side.svg"
TEMPLATE = Path(__file__).parent / "side_by_side.svg.jinja"
LEFT, RIGHT, TOP, BOTTOM = 60, 440, 50, 380
"""Edges of the plane in the template, in pixels."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One row: a program with one ranking."""

    name: str
    rate: float
    """Pictures per second, from the first file to an index that can be searched."""
    vectors: float
    memory: int
    """Most bytes of all processes, from the start to the last query."""
    quality: Quality
    query: float
    """Median seconds, from decoded pixels to ten hits."""


def measure(bench: Bench) -> None:
    part = part_of_dataset(bench.dataset, PICTURES, bench.scratch / "part")
    settings = bench.settings.changed(gallery=part.gallery)
    in_measured_process(_convert_network, settings)  # which needs much memory once
    rounds, problems = list[dict[str, Measured]](), dict[str, str]()
    for _ in range(1 if bench.short else ROUNDS):
        rows, problems = _round(part, settings)
        rounds.append({row.name: row for row in rows})
    rows = [_median([each[name] for each in rounds if name in each]) for name in rounds[0]]
    missing = [table(["not measured", "reason"], problems.items())] if problems else []
    facts = table(["pictures", "queries"], [[_pictures(part), len(part.queries)]])
    record(f"Side by side on {part.name}", facts, table(HEADER, map(_cells, rows)), *missing)
    if not bench.short:
        PLOT.write_text(plot(rows), encoding="utf-8")


def _round(part: Dataset, settings: Settings) -> tuple[list[Measured], dict[str, str]]:
    """Run each program once; also why programs of others could not run."""
    rows, problems = list[Measured](), dict[str, str]()
    crops = [_crop(query) for query in part.queries]
    for name, tool in OTHER_TOOLS.items():
        try:
            found, memory = in_measured_process(tool, part.gallery, crops)
        except ProcessFailed as problem:
            problems[name] = str(problem).splitlines()[0].replace("|", "/")
        else:
            rows += _measured([name], found, memory, part)
            print(rows[-1], file=sys.stderr, flush=True)
    for name, changes in OURS.items():
        found, memory = in_measured_process(boxfind, settings.changed(**changes), part.queries)
        rows += _measured([f"{name}, {ranking}" for ranking in RANKINGS], found, memory, part)
        print(rows[-1], file=sys.stderr, flush=True)
    return rows, problems


def boxfind(settings: Settings, queries: list[BoxedQuery]) -> list[Outcome]:
    """Build an index in an empty folder and search it with each ranking; the network was converted before."""
    with tempfile.TemporaryDirectory() as index:
        engine = Engine(settings.changed(index=Path(index)))
        began = time.perf_counter()
        engine.builds.build(quiet)
        seconds = time.perf_counter() - began
        gallery = engine.gallery()
        vectors = gallery.region_count / gallery.image_count
        outcomes = []
        for ranking in RANKINGS:
            ranked = answer_all(engine, gallery, queries, 0, ranking, quiet)
            times = [answer.seconds for answer in answer_all(engine, gallery, queries, 10, ranking, quiet)]
            outcomes.append(Outcome(seconds, vectors, times, [[hit.image for hit in answer.hits] for answer in ranked]))
        return outcomes


def _convert_network(settings: Settings) -> None:
    embedder_for_building(settings, quiet)


def _pictures(part: Dataset) -> int:
    return sum(path.is_file() for path in part.gallery.rglob("*"))


def _crop(query: BoxedQuery) -> Image:
    image, box = load_image(query.image), query.box
    return image if box is None else image[box.y0 : box.y1, box.x0 : box.x1]


def _measured(names: list[str], outcomes: list[Outcome], memory: int, part: Dataset) -> list[Measured]:
    labels, rate, count = part.labels[part.main], PROTOCOLS[part.protocol], _pictures(part)
    rows = []
    for name, found in zip(names, outcomes, strict=True):
        qualities = [
            rate(ranked, labels.relevant[query.name], labels.ignored.get(query.name, ()))
            for query, ranked in zip(part.queries, found.ranked, strict=True)
        ]
        waits = float(np.median(found.query_seconds))
        rows.append(Measured(name, count / found.seconds, found.vectors, memory, mean_quality(qualities), waits))
    return rows


def _median(rows: Sequence[Measured]) -> Measured:
    """The medians of the rounds; the quality is that of the first, as all are equal."""
    rates, queries = [row.rate for row in rows], [row.query for row in rows]
    memory = int(np.median([row.memory for row in rows]))
    first = rows[0]
    return Measured(
        first.name, float(np.median(rates)), first.vectors, memory, first.quality, float(np.median(queries))
    )


def _cells(row: Measured) -> list[str]:
    quality = [f"{row.quality.average_precision:.3f}", f"{row.quality.precision_at_10:.3f}"]
    megabytes = f"{row.memory / 1e6:.0f}"
    return [row.name, f"{row.rate:.1f}", f"{row.vectors:.0f}", megabytes, *quality, f"{1000 * row.query:.0f}"]


def plot(rows: Sequence[Measured]) -> str:
    """An SVG of mAP against pictures per second. Each program has a number, which the list at the right explains."""
    most = 10 * (1 + int(max(row.rate for row in rows) // 10))
    least = max(floor(10 * min(row.quality.average_precision for row in rows) - 0.5), 0) / 10
    points = [
        {
            "x": round(LEFT + (RIGHT - LEFT) * row.rate / most, 1),
            "y": round(BOTTOM - (BOTTOM - TOP) * (row.quality.average_precision - least) / (1 - least), 1),
            "name": row.name,
        }
        for row in rows
    ]
    columns = [(round(LEFT + (RIGHT - LEFT) * step / 5), f"{most * step / 5:g}") for step in range(6)]
    lines = [(round(BOTTOM - (BOTTOM - TOP) * step / 5), f"{least + (1 - least) * step / 5:.2f}") for step in range(6)]
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    return str(template.render(columns=columns, rows=lines, points=points)) + "\n"
