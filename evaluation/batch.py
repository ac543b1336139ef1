"""Answers a whole table of queries; one that cannot be answered costs only itself."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from engine import Engine
from evaluation.dataset import BoxedQuery
from index.gallery import Gallery
from retrieval.errors import BadBox, UnreadableImage
from retrieval.images import load_image
from retrieval.types import Hit
from retrieval.weights import Progress


@dataclass(frozen=True, slots=True)
class Answer:
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
) -> list[Answer]:
    """An answer for each query, in the same order."""
    engine.embedder(gallery.manifest.recipe)  # so that a network that cannot run is reported once, and before the first

    def answer(query: BoxedQuery) -> Answer:
        try:
            image = load_image(query.image)
            began = time.perf_counter()
            hits = engine.search(gallery, image, query.box, top, ranking)
            return Answer(query.name, hits, time.perf_counter() - began)
        except (UnreadableImage, BadBox) as error:
            return Answer(query.name, [], 0.0, f"{query.name}: {error}")

    answers = []
    with ThreadPoolExecutor(workers) as pool:
        for answered in pool.map(answer, queries):
            answers.append(answered)
            progress("Answering queries", len(answers), len(queries))
    return answers
