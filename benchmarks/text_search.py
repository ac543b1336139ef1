"""Quality of text search, with the sentences of sentences.csv."""

import csv
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench
from benchmarks.results import record, table
from boxfind.engine import Engine
from boxfind.evaluation.dataset import Dataset
from boxfind.evaluation.metrics import average_precision, precision_at
from retrieval.request import Request

SENTENCES = Path(__file__).parent / "sentences.csv"
RANKINGS = ("fast", "best")
HEADER = ["ranking", "P@10", "P@10 / chance", "mAP", "ms (median)", "none in the first ten"]


def measure(bench: Bench) -> None:
    relevant = _relevant(bench.dataset)
    bench.engine.answer(bench.engine.gallery(), Request(words="a warm-up"), {})
    chance = np.array([len(images) for images in relevant.values()]) / bench.engine.gallery().image_count
    rows, precisions = [], []
    for ranking in RANKINGS:
        rated = [_rate(bench.engine, ranking, sentence, images) for sentence, images in relevant.items()]
        precision, ap, seconds = np.array(rated).T
        precisions.append(precision)
        figures = [f"{precision.mean():.3f}", f"{(precision / chance).mean():.1f} x", f"{ap.mean():.3f}"]
        none = f"{np.count_nonzero(precision == 0)} of {len(precision)}"
        rows.append([ranking, *figures, f"{1000 * np.median(seconds):.0f}", none])
    sentences = [[name, *map("{:.1f}".format, found)] for name, *found in zip(relevant, *precisions, strict=True)]
    by_sentence = table(["sentence", *(f"P@10, {ranking}" for ranking in RANKINGS)], sentences)
    record(f"Text search on {bench.dataset.name}", table(HEADER, rows), by_sentence)


def _relevant(dataset: Dataset) -> dict[str, set[str]]:
    """Sentence -> gallery images of the objects that it describes; sentences without such images are left out."""
    of_object: dict[str, set[str]] = defaultdict(set)
    for query, images in dataset.labels[dataset.main].relevant.items():
        of_object[dataset.objects[query]] |= images
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        objects = {row["sentence"]: row["objects"].split() for row in csv.DictReader(file)}
    relevant = {sentence: set[str]().union(*(of_object[name] for name in names)) for sentence, names in objects.items()}
    return {sentence: found for sentence, found in relevant.items() if found}


def _rate(engine: Engine, ranking: str, sentence: str, relevant: set[str]) -> tuple[float, float, float]:
    """Precision at 10, average precision, and the seconds to ten hits."""
    gallery, request = engine.gallery(), Request(words=sentence, ranking=ranking)
    began = time.perf_counter()
    engine.answer(gallery, request, {})
    seconds = time.perf_counter() - began
    found = [hit.image for hit in engine.answer(gallery, request, {}, 0)]
    ranks = [rank for rank, image in enumerate(found, start=1) if image in relevant]
    return precision_at(10, ranks, len(relevant)), average_precision(ranks, len(relevant)), seconds
