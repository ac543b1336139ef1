"""What a smaller side, and no keypoints, save in a build and cost in quality."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.results import record, table
from benchmarks.stages import build_stages
from boxfind.engine import Engine
from boxfind.evaluation.evaluate import evaluate
from index.building.describe_all import FINDING, READING
from retrieval.types import quiet

SIDES = (224, 320, 448, 640)
KEYPOINTS = (500, 0)
RANKED = ("fast", "best")
HEADER = [
    *("side", "keypoints", "ms of a core per picture, read and described", "whole build", "pictures/s of a core"),
    *(f"{ranking}: {figure}" for ranking in RANKED for figure in ("mAP", "P@10")),
]


def measure(bench: Bench) -> None:
    sides = SIDES[-2:] if bench.short else SIDES
    rows = [_row(bench, side, keypoints) for side in sides for keypoints in KEYPOINTS]
    record(f"Sides on {bench.dataset.name}", table(HEADER, rows))


def _row(bench: Bench, side: int, keypoints: int) -> Sequence[object]:
    settings = bench.settings.changed(side=side, keypoints=keypoints, first_wave=0)
    with tempfile.TemporaryDirectory() as index:
        settings = settings.changed(index=Path(index))
        stages, _ = build_stages(settings)
        engine = Engine(settings)
        gallery = engine.gallery()
        count = gallery.manifest.counts.images
        described = 1000 * sum(stages.get(name, 0.0) for name in (READING, FINDING)) / count
        figures = [
            f"{figure:.3f}"
            for ranking in RANKED
            for quality in [evaluate(engine, gallery, bench.dataset, ranking, quiet).quality]
            for figure in (quality.average_precision, quality.precision_at_10)
        ]
    row = [side, keypoints, f"{described:.1f}", f"{1000 * sum(stages.values()) / count:.1f}", f"{1000 / described:.0f}"]
    print(row, figures, flush=True)
    return [*row, *figures]
