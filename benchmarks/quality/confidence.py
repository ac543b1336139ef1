"""Measure the precision of likely, possible and unlikely: python -m benchmarks.quality.confidence DATASET."""

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import get_args

from benchmarks.results import keep, table
from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery, Dataset
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.settings import Settings
from retrieval.images.decode import load_image
from retrieval.types import Box, Confidence, Hit, quiet

WORDS: tuple[Confidence, ...] = get_args(Confidence)


def main(folder: Path) -> None:
    dataset = read_dataset(folder)
    with tempfile.TemporaryDirectory() as scratch:
        engine = Engine(Settings.load(gallery=dataset.gallery, index=Path(scratch) / "index"))
        engine.build(quiet)
        rows = [_row(engine, dataset, ranking) for ranking in ("fast", "best")]
    header = [
        "ranking",
        *(f"{word}: hits, precision" for word in WORDS),
        "object present: likely hit",
        "object present: no match reported",
        "object absent: likely hit",
        "object absent: no match reported",
    ]
    keep(f"Confidence on {dataset.name}", table(header, rows))


def _row(engine: Engine, dataset: Dataset, ranking: str) -> list[str]:
    """Counts over all hits; then over queries, with and without the pictures that show the object."""
    labels = dataset.labels[dataset.main]
    found, right = Counter[str](), Counter[str]()
    there, absent = Counter[str](), Counter[str]()
    for query in dataset.queries:
        relevant, ignored = labels.relevant[query.name], labels.ignored.get(query.name, set())
        hits = [hit for hit in _hits(engine, query, ranking) if hit.image not in ignored]
        found.update(hit.confidence for hit in hits)
        right.update(hit.confidence for hit in hits if hit.image in relevant)
        there[_surest(hits)] += 1
        absent[_surest([hit for hit in hits if hit.image not in relevant])] += 1
    total = len(dataset.queries)
    return [
        ranking,
        *(f"{found[word]}, {right[word] / max(found[word], 1):.1%}" for word in WORDS),
        *(f"{of[word] / total:.1%}" for of in (there, absent) for word in ("likely", "unlikely")),
    ]


def _hits(engine: Engine, query: BoxedQuery, ranking: str) -> list[Hit]:
    image = load_image(query.image)
    return engine.search(engine.gallery(), image, query.box or Box.whole(image), 0, ranking)


def _surest(hits: list[Hit]) -> str:
    return min((hit.confidence for hit in hits), key=WORDS.index)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
