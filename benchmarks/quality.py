"""Measures quality, build time and query time on a labelled data set: python -m benchmarks.quality DATASET."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.results import keep, table
from engine import Engine
from evaluation.evaluate import Evaluation, evaluate
from evaluation.readers import read_dataset
from settings import Settings

VARIANTS: dict[str, dict[str, Any]] = {
    "the default": {},
    "whole picture only, no regions": {"regions": ("whole",)},
    "average pooling in place of GeM": {"pooling": "gap"},
    "queries at side 512, whatever the box": {"query_side": 512},
}
"""Each changes one thing of the default."""


def main(dataset: Path) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, changes in VARIANTS.items():
            settings = Settings(gallery=dataset / "gallery", index=Path(scratch) / "index", **changes)
            engine = Engine(settings)
            began = time.perf_counter()
            engine.build(_quiet)
            built = time.perf_counter() - began
            gallery = engine.gallery()
            found = evaluate(engine, gallery, read_dataset(dataset), "fast", _quiet)
            rows.append(_row(name, gallery.manifest.counts.regions / gallery.manifest.counts.images, found, built))
            print(rows[-1], file=sys.stderr)
    header = [
        "what is indexed and searched",
        "vectors an image",
        "mAP",
        "P@10",
        "R@100",
        "query ms p50",
        "p95",
        "build s",
    ]
    keep(f"Quality on {dataset.name}", table(header, rows))


def _row(name: str, vectors: float, found: Evaluation, built: float) -> list[str]:
    quality = found.quality
    return [
        name,
        f"{vectors:.0f}",
        f"{quality.average_precision:.3f}",
        f"{quality.precision_at_10:.3f}",
        f"{quality.recall_at_100:.3f}",
        f"{1000 * found.seconds_p50:.0f}",
        f"{1000 * found.seconds_p95:.0f}",
        f"{built:.0f}",
    ]


def _quiet(stage: str, done: int, total: int) -> None:
    """Progress for nobody: the table is what counts."""


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
