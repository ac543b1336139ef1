"""Answers a whole table of queries; one that cannot be answered costs only itself."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery
from index.gallery import Gallery
from retrieval.errors import BadBox, UnreadableImage
from retrieval.images.decode import load_image
from retrieval.types import Box, Hit, Progress

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The hits of one query and the seconds from its decoded picture to them; `problem` says why there are none."""

    query: str
    hits: list[Hit]
    seconds: float
    problem: str = ""


def answer_all(
    engine: Engine,
    gallery: Gallery,
    queries: Sequence[BoxedQuery],
    top: int,
    ranking: str,
    progress: Progress,
    workers: int = 1,
) -> list[BatchResult]:
    """An answer for each query, in the same order."""
    return for_each(queries, answerer(engine, gallery, top, ranking), progress, workers)


def answerer(engine: Engine, gallery: Gallery, top: int, ranking: str) -> Callable[[BoxedQuery], BatchResult]:
    """The function that answers one query; it may be called from many threads."""
    engine.embedder(gallery.manifest.recipe)  # so that a network that cannot run is reported once, and before the first

    def answer(query: BoxedQuery) -> BatchResult:
        try:
            image = load_image(query.image)
            began = time.perf_counter()
            hits = engine.search(gallery, image, query.box or Box.whole(image), top, ranking)
            return BatchResult(query.name, hits, time.perf_counter() - began)
        except (UnreadableImage, BadBox) as error:
            return BatchResult(query.name, [], 0.0, f"{query.name}: {error}")

    return answer


def for_each(
    queries: Sequence[BoxedQuery], function: Callable[[BoxedQuery], T], progress: Progress, workers: int
) -> list[T]:
    """What the function makes of each query, in the same order; what it drops is not kept until all are done."""
    results = []
    with ThreadPoolExecutor(workers) as pool:
        for result in pool.map(function, queries):
            results.append(result)
            progress("Answering queries", len(results), len(queries))
    return results
