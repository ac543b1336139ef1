"""Measure quality, build time and query time on a labelled data set: python -m benchmarks.quality.rankings DATASET."""

import random
import sys
import tempfile
import time
from collections.abc import Set
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.results import keep, table
from boxfind.engine import Engine
from boxfind.evaluation.dataset import Dataset
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.evaluation.evaluate import Evaluation, evaluate
from boxfind.settings import Settings
from index.gallery import Gallery
from retrieval.search import METHODS, RANKINGS, best
from retrieval.types import quiet

RANKED: dict[str, str] = {
    "fast: one exact search": "fast",
    "+ expansion": "expansion",
    "+ diffusion": "diffusion",
    "+ verification": "verification",
    "+ expansion, diffusion": "expansion, diffusion",
    "best: all three": "best",
}
"""Rows of the first table: label -> ranking, on the default index."""
INDEXED: dict[str, dict[str, Any]] = {
    "the default": {},
    "whole and proposals, no grid": {"regions": ("whole", "proposals")},
    "whole and a grid of 4 levels": {"regions": ("whole", "grid"), "grid_levels": 4},
    "without the finer layer": {"mid_layer_weight": 0.0},
    "side 512": {"side": 512, "query_side": 224, "query_views": (0.7, 1.25)},
}
"""Rows of the second table: label -> changed settings, ranked by `fast`."""
SECTION = "Quality on {}: {}"


def main(folder: Path) -> None:
    dataset = read_dataset(folder)
    objects = {dataset.objects[query.name] for query in dataset.queries}
    others = objects - half(objects)
    for methods in RANKED.values():
        if methods not in RANKINGS:
            RANKINGS[methods] = partial(best, methods=METHODS & set(methods.split(", ")))
    indexed = []
    for name, changes in INDEXED.items():
        with tempfile.TemporaryDirectory() as scratch:
            engine = Engine(Settings.load(gallery=dataset.gallery, index=Path(scratch) / "index", **changes))
            began = time.perf_counter()
            engine.build(quiet)
            built = time.perf_counter() - began
            found = evaluate(engine, engine.gallery(), dataset, "fast", quiet)
            indexed.append([name, *_size(engine.gallery()), *_figures(found, others), f"{built:.0f}"])
            print(indexed[-1], file=sys.stderr)
            if not changes:
                _keep_rankings(engine, dataset, others, found)
    header = ["index", "vectors per image", "KB per image", *FIGURES, "build s"]
    keep(SECTION.format(dataset.name, "indexes, ranked by fast"), table(header, indexed))


FIGURES = ["mAP", "P@10", "R@100", "mAP, other half", "P@10, other half", "query ms p50", "p95"]


def _keep_rankings(engine: Engine, dataset: Dataset, others: set[str], fast: Evaluation) -> None:
    ranked = []
    for name, ranking in RANKED.items():
        found = fast if ranking == "fast" else evaluate(engine, engine.gallery(), dataset, ranking, quiet)
        ranked.append([name, *_figures(found, others)])
        print(ranked[-1], file=sys.stderr)
    keep(SECTION.format(dataset.name, "rankings"), table(["ranking", *FIGURES], ranked))


def _figures(found: Evaluation, others: set[str]) -> list[str]:
    quality, honest = found.quality, replace(found, rows=[row for row in found.rows if row.object in others]).quality
    return [
        f"{quality.average_precision:.3f}",
        f"{quality.precision_at_10:.3f}",
        f"{quality.recall_at_100:.3f}",
        f"{honest.average_precision:.3f}",
        f"{honest.precision_at_10:.3f}",
        f"{1000 * found.seconds_p50:.0f}",
        f"{1000 * found.seconds_p95:.0f}",
    ]


def half(objects: Set[str]) -> set[str]:
    """Return a deterministic random half of the objects; settings are tuned on it, and the other half is reported."""
    names = sorted(objects)
    random.Random(0).shuffle(names)
    return set(names[: len(names) // 2])


def _size(gallery: Gallery) -> list[str]:
    """Vectors per image, and KB per image on disk."""
    counts, files = gallery.manifest.counts, gallery.manifest.files.values()
    return [f"{counts.regions / counts.images:.0f}", f"{sum(file.bytes for file in files) / counts.images / 1024:.0f}"]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
