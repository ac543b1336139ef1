"""Measure text search with the sentences of sentences.csv: python -m benchmarks.quality.text_search DATASET [INDEX]."""

import csv
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.results import keep, table
from boxfind.engine import Engine
from boxfind.evaluation.dataset import Dataset
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.evaluation.metrics import average_precision
from boxfind.settings import Settings
from retrieval.request import Request
from retrieval.types import quiet

SENTENCES = Path(__file__).parent / "sentences.csv"
RANKINGS = ("fast", "best")


def main(folder: Path, index: Path | None = None) -> None:
    """`index`: an existing index of the gallery; by default one is built."""
    dataset = read_dataset(folder)
    relevant = _relevant(dataset)
    with tempfile.TemporaryDirectory() as scratch:
        engine = Engine(Settings.load(gallery=dataset.gallery, index=index or Path(scratch) / "index", offline=True))
        if index is None:
            engine.build(quiet)
        gallery = engine.gallery()
        images = gallery.manifest.counts.images
        engine.answer(gallery, Request(words="a warm-up"), {})
        rows, precisions = [], {}
        for ranking in RANKINGS:
            found = [_rate(engine, ranking, sentence, right) for sentence, right in relevant.items()]
            precision, ap, seconds = (np.array(figures) for figures in zip(*found, strict=True))
            chance = np.array([len(right) / images for right in relevant.values()])
            precisions[ranking] = precision
            lift = f"{(precision / chance).mean():.1f} x"
            figures = (f"{precision.mean():.3f}", lift, f"{ap.mean():.3f}", f"{1000 * np.median(seconds):.0f}")
            rows.append([ranking, *figures, f"{int((precision == 0).sum())} of {len(precision)}"])
    header = ["ranking", "P@10", "P@10 / chance", "mAP", "ms (median)", "none in the first ten"]
    each = [
        [sentence, *(f"{precisions[ranking][number]:.1f}" for ranking in RANKINGS)]
        for number, sentence in enumerate(relevant)
    ]
    body = f"{table(header, rows)}\n\n{table(['sentence', *(f'P@10, {name}' for name in RANKINGS)], each)}"
    keep(f"Text search on {dataset.name}", body)


def _relevant(dataset: Dataset) -> dict[str, set[str]]:
    """Sentence -> gallery images of the objects that it describes."""
    of_object: dict[str, set[str]] = {}
    for query, images in dataset.labels[dataset.main].relevant.items():
        of_object.setdefault(dataset.objects[query], set()).update(images)
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        return {
            row["sentence"]: set[str]().union(*(of_object[name] for name in row["objects"].split()))
            for row in csv.DictReader(file)
        }


def _rate(engine: Engine, ranking: str, sentence: str, right: set[str]) -> tuple[float, float, float]:
    """Precision at 10, average precision, seconds."""
    gallery = engine.gallery()
    began = time.perf_counter()
    engine.answer(gallery, Request(words=sentence, ranking=ranking), {})
    seconds = time.perf_counter() - began
    found = [hit.image for hit in engine.answer(gallery, Request(words=sentence, ranking=ranking), {}, 0)]
    places = [place for place, image in enumerate(found, start=1) if image in right]
    return sum(place <= 10 for place in places) / 10, average_precision(places, len(right)), seconds


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
