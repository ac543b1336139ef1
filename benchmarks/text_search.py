"""Quality of text search, with the sentences of sentences.csv, and its time in a large synthetic gallery."""

import csv
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench
from benchmarks.results import milliseconds, record, table
from benchmarks.scale import CHUNK
from benchmarks.stores import NOISE
from boxfind.engine import Engine
from boxfind.evaluation.dataset import Dataset
from boxfind.evaluation.metrics import average_precision, precision_at
from index.gallery import Gallery
from index.stores.store import open_store
from retrieval.ranking.diffusion import MAX_NODES, NEIGHBOURS, NODES_OF_IMAGE, Neighbours, make_graph
from retrieval.request import Request
from retrieval.text.colour_names import colours_in
from retrieval.types import unit

SENTENCES = Path(__file__).parent / "sentences.csv"
RANKINGS = ("fast", "best")
HEADER = ["ranking", "P@10", "P@10 / chance", "mAP", "ms (median)", "none in the first ten"]
SYNTHETIC_IMAGES = 100_000


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
    large = synthetic_gallery(bench.engine.gallery(), SYNTHETIC_IMAGES, bench.scratch)
    times = [
        [
            f"{large.image_count:,}",
            f"{large.region_count:,}",
            ranking,
            *milliseconds(_seconds(bench.engine, large, ranking)),
        ]
        for ranking in RANKINGS
    ]
    record("Text search in a synthetic gallery", table(["pictures", "regions", "ranking", "ms p50", "p95"], times))


def synthetic_gallery(gallery: Gallery, images: int, folder: Path) -> Gallery:
    """A gallery repeated up to a number of images, with noise on its vectors and a random neighbour graph.

    It has no thumbnails. The vectors are written to `folder`.
    """
    tables, whole = gallery.tables, len(gallery.tables.ids)
    image_of_row = np.concatenate([tables.image_of_row + n * whole for n in range(-(-images // whole))])
    image_of_row = image_of_row[: np.searchsorted(image_of_row, images)]
    again = np.arange(len(image_of_row)) % len(tables.image_of_row)
    rng = np.random.default_rng(0)
    vectors = np.lib.format.open_memmap(
        folder / "synthetic.npy", "w+", np.float32, (len(again), gallery.descriptors.shape[1])
    )
    for start in range(0, len(again), CHUNK):
        part = gallery.descriptors[again[start : start + CHUNK]]
        vectors[start : start + CHUNK] = unit(part + NOISE * unit(rng.standard_normal(part.shape, np.float32)))
    ids = [f"{number:07d}.jpg" for number in range(images)]
    rows = tables.images.take(np.arange(images) % whole)
    repeated = replace(
        tables,
        images=rows.set_column(rows.column_names.index("image"), "image", [ids]),
        ids=ids,
        numbers={image: number for number, image in enumerate(ids)},
        image_of_row=image_of_row,
        boxes=tables.boxes[again],
        kinds=[tables.kinds[row] for row in again],
        scores=tables.scores[again],
        labels=[tables.labels[row] for row in again],
    )
    each = next((each for each in NODES_OF_IMAGE if each * images <= MAX_NODES), NODES_OF_IMAGE[-1])
    place = np.arange(len(again)) - np.searchsorted(image_of_row, image_of_row)
    nodes = np.flatnonzero(place < each)
    shape = len(nodes), NEIGHBOURS
    neighbours = Neighbours(nodes, rng.integers(len(nodes), size=shape), rng.random(shape, np.float32))
    return replace(
        gallery,
        folder=folder / "synthetic",
        tables=repeated,
        descriptors=np.asarray(vectors),
        graph=make_graph(neighbours),
        store=open_store("auto", np.asarray(vectors)),
        images=range(images),
        class_scores=gallery.class_scores[again],
    )


def _seconds(engine: Engine, gallery: Gallery, ranking: str) -> list[float]:
    """The seconds to ten hits of each sentence that names no colour: colours are measured in thumbnails."""
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        sentences = [row["sentence"] for row in csv.DictReader(file)]
    requests = [Request(words=words, ranking=ranking) for words in sentences if not colours_in(words)]
    engine.answer(gallery, requests[0], {})  # a warm-up
    found = []
    for request in requests:
        began = time.perf_counter()
        engine.answer(gallery, request, {})
        found.append(time.perf_counter() - began)
    return found


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
