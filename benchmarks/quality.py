"""Quality and query time of rankings; the same, size and build time of several kinds of indexes.

A short run ranks with the index of the other programs and builds no others.
"""

import random
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.results import record, table
from boxfind.engine import Engine
from boxfind.evaluation.dataset import Dataset
from boxfind.evaluation.evaluate import evaluate
from retrieval.best_ranking import METHODS, best
from retrieval.search import RANKINGS, Ranking, fast
from retrieval.types import quiet

RANKED: dict[str, Ranking] = {
    "fast: one exact search": fast,
    "+ expansion": partial(best, methods={"expansion"}),
    "+ diffusion": partial(best, methods={"diffusion"}),
    "+ verification": partial(best, methods={"verification"}),
    "+ text": partial(best, methods={"text"}),
    "+ expansion, diffusion": partial(best, methods={"expansion", "diffusion"}),
    "+ expansion, diffusion, verification": partial(best, methods={"expansion", "diffusion", "verification"}),
    "+ appearance": partial(best, methods=METHODS - {"text"}),
    "best: with text": best,
}
"""Rows of the first table, on the default index."""
INDEXES: dict[str, dict[str, Any]] = {
    "the default": {},
    "whole and proposals, no grid": {"regions": ("whole", "proposals")},
    "whole and a grid of 4 levels": {"regions": ("whole", "grid"), "grid_levels": 4},
    "without the finer layer": {"mid_layer_weight": 0.0},
    "side 512": {"side": 512, "query_side": 224, "query_views": (0.7, 1.25)},
}
"""Rows of the second table: changed settings, ranked by `fast`."""
FIGURES = ["mAP", "P@10", "R@100", "mAP, other half", "P@10, other half", "query ms p50", "p95"]


def measure(bench: Bench) -> None:
    if bench.short:
        bench.engine.gallery()
        _record_rankings(bench.dataset, Engine(bench.settings.changed(text=True)))
    else:
        _compare_indexes(bench)


def _compare_indexes(bench: Bench) -> None:
    dataset, rows = bench.dataset, []
    for name, changes in INDEXES.items():
        with tempfile.TemporaryDirectory() as index:
            engine = Engine(bench.settings.changed(index=Path(index), text=True, **changes))
            began = time.perf_counter()
            engine.builds.build(quiet)
            seconds = time.perf_counter() - began
            rows.append([name, *_size(engine), *_figures(engine, dataset, "fast"), f"{seconds:.0f}"])
            print(rows[-1], file=sys.stderr, flush=True)
            if not changes:
                _record_rankings(dataset, engine)
    header = ["index", "vectors per image", "KB per image", *FIGURES, "build s"]
    record(f"Quality on {dataset.name}: indexes, ranked by fast", table(header, rows))


def _record_rankings(dataset: Dataset, engine: Engine) -> None:
    """Read what is written in the pictures of the index, if that is missing, and measure each ranking."""
    engine.builds.read_text(quiet)
    RANKINGS.update(RANKED)
    rankings = [[name, *_figures(engine, dataset, name)] for name in RANKED]
    record(f"Quality on {dataset.name}: rankings", table(["ranking", *FIGURES], rankings))


def _figures(engine: Engine, dataset: Dataset, ranking: str) -> list[str]:
    found = evaluate(engine, engine.gallery(), dataset, ranking, quiet)
    others = held_out({row.object for row in found.rows})
    quality, other_half = (
        found.quality,
        replace(found, rows=[row for row in found.rows if row.object in others]).quality,
    )
    return [
        f"{quality.average_precision:.3f}",
        f"{quality.precision_at_10:.3f}",
        f"{quality.recall_at_100:.3f}",
        f"{other_half.average_precision:.3f}",
        f"{other_half.precision_at_10:.3f}",
        f"{1000 * found.seconds_p50:.0f}",
        f"{1000 * found.seconds_p95:.0f}",
    ]


def held_out(objects: set[str]) -> set[str]:
    """Return a deterministic half of the objects, which no setting was tuned on."""
    names = sorted(objects)
    random.Random(0).shuffle(names)
    return set(names[len(names) // 2 :])


def _size(engine: Engine) -> list[str]:
    """Vectors per image, and KB per image on disk."""
    manifest = engine.gallery().manifest
    size, images = sum(file.bytes for file in manifest.files.values()), manifest.counts.images
    return [f"{manifest.counts.regions / images:.0f}", f"{size / images / 1024:.0f}"]
