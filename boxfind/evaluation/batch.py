"""Answer a batch of queries; an unreadable picture or invalid box does not stop the others."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.export.file_names import file_name, unique_names
from boxfind.export.result_sheet import result_sheet
from boxfind.export.search_result import SearchResult
from index.gallery import Gallery
from retrieval.errors import BadBox, UnreadableImage
from retrieval.images.decode import LoadedImage, load_image
from retrieval.request import Example, Request
from retrieval.types import Box, Hit, Progress

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The hits of one query, and the seconds from the decoded image to the hits; `problem` is set if it failed."""

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
    folder: str = "",
) -> list[BatchResult]:
    """Return a result for each query, in the same order."""
    return map_queries(queries, make_answer(engine, gallery, top, ranking, folder), progress, workers)


def draw_sheets(
    folder: Path, gallery: Gallery, queries: Sequence[BoxedQuery], answers: Sequence[BatchResult], progress: Progress
) -> None:
    """Write a JPEG for each answered query, with the boxed query and its ten best matches. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    stems = unique_names(file_name(query.name, ".jpg").removesuffix(".jpg") for query in queries)
    for done, (query, answer, stem) in enumerate(zip(queries, answers, stems, strict=True), start=1):
        if not answer.problem:
            picture = LoadedImage.of(load_image(query.image, incomplete=True))  # if it is, this was allowed before
            found = SearchResult(query.name, tuple(answer.hits), gallery, picture, query.box)
            (folder / f"{stem}.jpg").write_bytes(result_sheet(found))
        progress("Drawing sheets", done, len(queries))


def make_answer(
    engine: Engine, gallery: Gallery, top: int, ranking: str, folder: str = ""
) -> Callable[[BoxedQuery], BatchResult]:
    """Return a thread-safe function that answers one query."""
    engine.networks.embedder(gallery.manifest.recipe)  # fail here, once, if the network cannot run

    def answer(query: BoxedQuery) -> BatchResult:
        try:
            image = load_image(query.image, engine.settings.build.incomplete)
            began = time.perf_counter()
            request = Request((Example("", query.box or Box.whole(image)),), ranking, folder=folder)
            hits = engine.answer(gallery, request, {"": LoadedImage.of(image)}, top, note_finds=False)
            return BatchResult(query.name, hits, time.perf_counter() - began)
        except (UnreadableImage, BadBox) as error:
            return BatchResult(query.name, [], 0.0, f"{query.name}: {error}")

    return answer


def map_queries(
    queries: Sequence[BoxedQuery], function: Callable[[BoxedQuery], T], progress: Progress, workers: int
) -> list[T]:
    """Map a function over the queries in parallel, keeping the order; only its return values stay in memory."""
    results = []
    with ThreadPoolExecutor(workers) as pool:
        for result in pool.map(function, queries):
            results.append(result)
            progress("Answering queries", len(results), len(queries))
    return results
