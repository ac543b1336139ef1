"""Compare the methods of five other systems, on the bundled weights: python -m benchmarks.quality.systems DATASET."""

import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.results import keep, table
from boxfind.engine import Engine
from boxfind.evaluation.dataset import Dataset
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.evaluation.evaluate import evaluate
from boxfind.settings import Settings
from retrieval.types import quiet

WHOLE = {"regions": ("whole",), "mid_layer_weight": 0.0}
SLOW = "sift"
"""Compares every picture with every query, so it runs on one query per object only."""


@dataclass(frozen=True, slots=True)
class System:
    """A method: its label, the options and settings that build its index, and how the index is queried."""

    name: str
    options: str
    settings: dict[str, Any] = field(default_factory=dict)
    rank: str = "fast"
    query_mode: str = "crop"

    @property
    def command(self) -> str:
        asked = f"--rank {self.rank}" + (f" --query-mode {self.query_mode}" if self.query_mode != "crop" else "")
        return f"`build {self.options}`, `evaluate {asked}`" if self.options else f"`evaluate {asked}`"


TUTORIAL = WHOLE | {"side": 224, "query_side": 224, "query_views": (1.0,), "pooling": "gap", "whitening": "none"}
PROPOSED = {"regions": ("whole", "proposals")}
GRID = {"regions": ("whole", "grid"), "grid_levels": 4}
RMAC = WHOLE | {"pooling": "rmac"}
SYSTEMS = (
    System("1: one vector per picture, cosine", "--regions whole --pooling gap", TUTORIAL),
    System("2: the same by Euclidean distance", "", TUTORIAL, "euclidean"),
    System("1, 4: object proposals", "--regions whole,proposals", PROPOSED),
    System("3: R-MAC", "--regions whole --pooling rmac", RMAC),
    System("3: R-MAC, expansion, diffusion and verification", "", RMAC, "best"),
    System("2: SIFT inliers, then similarity (80 queries)", "", {}, SLOW),
    System("5: the box pooled from the features of the whole picture", "", {}, "fast", "slice"),
    System("regions on a grid of 4 levels (`BOXFIND_GRID_LEVELS=4`)", "--regions whole,grid", GRID),
    System("the same, best", "", GRID, "best"),
    System("Boxfind: proposals and a grid of 2 levels", "", {}),
    System("Boxfind, best (2: SIFT and features combined)", "", {}, "best"),
)


def main(folder: Path) -> None:
    dataset = read_dataset(folder)
    rows: dict[int, list[str]] = {}
    for changes in _distinct([system.settings for system in SYSTEMS]):
        with tempfile.TemporaryDirectory() as scratch:
            settings = Settings.load(gallery=dataset.gallery, index=Path(scratch) / "index", offline=True, **changes)
            began = time.perf_counter()
            Engine(settings).build(quiet)
            built = time.perf_counter() - began
            for number, system in enumerate(SYSTEMS):
                if system.settings == changes:
                    rows[number] = _row(system, settings, dataset, built)
                    print(rows[number], file=sys.stderr)
    header = ["system and method", "command", "mAP", "P@10", "vectors per image", "build s", "query ms p50"]
    keep(f"Methods of other systems on {dataset.name}", table(header, [rows[number] for number in sorted(rows)]))


def _row(system: System, settings: Settings, dataset: Dataset, built: float) -> list[str]:
    engine = Engine(settings.changed(query_mode=system.query_mode))
    gallery = engine.gallery()
    asked = replace(dataset, queries=dataset.queries[::3]) if system.rank == SLOW else dataset
    found = evaluate(engine, gallery, asked, system.rank, quiet)
    counts = gallery.manifest.counts
    return [
        system.name,
        system.command,
        f"{found.quality.average_precision:.3f}",
        f"{found.quality.precision_at_10:.3f}",
        f"{counts.regions / counts.images:.0f}",
        f"{built:.0f}",
        f"{1000 * found.seconds_p50:.0f}",
    ]


def _distinct(settings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [changes for number, changes in enumerate(settings) if changes not in settings[:number]]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
