"""Profile a query by stage, from a decoded picture and a box to ten hits."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from unittest import mock

import numpy as np

from benchmarks.results import table
from benchmarks.speed.tracer import Hook, Tracer
from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.settings import Settings
from index.gallery import Gallery
from retrieval import multi_object, search
from retrieval.descriptors import embedder as embed
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.descriptors.whitening import Whitening
from retrieval.images.decode import load_image
from retrieval.ranking import expansion
from retrieval.types import Box

REST = "everything else"
NETWORK = "network"
HOOKS = (
    Hook("resizing", embed, "resize_image"),
    Hook("pooling", embed, "pool_layers"),
    Hook("whitening", Whitening, "apply"),
    Hook("the rest of the descriptor", Embedder, "query"),
    Hook("vector search", Gallery, "nearest"),
    Hook("best region of each picture", search, "nearest_images"),
    Hook("best region of each picture", expansion, "nearest_images"),
    Hook("expansion", search, "expand"),
    Hook("expansion", search, "expand_with"),
    Hook("diffusion", search, "_diffusion"),
    Hook("verification", search, "_verified"),
    Hook("naming the hits", search, "_hit"),
    Hook("naming the hits", search, "_hits"),
    Hook("ranking, and waiting for query keypoints", multi_object, "search"),
)
"""Functions and their stages. `_network_watched` adds the network, which is not a module-level function."""
RANKINGS = ("fast", "best")
WARM = 5
"""Warm-up queries, which are not measured."""
NOTE = """{} queries of {} on an index of {:,} pictures ({:,} vectors), one at a time. The time of a nested stage
counts for that stage only; work in background threads counts for the stage that waits for it. **All** is the whole
query."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Milliseconds of one stage in each query (Q,), and its average number of calls per query."""

    name: str
    milliseconds: np.ndarray
    calls: float


def asked_queries(settings: Settings, count: int) -> list[BoxedQuery]:
    """Up to `count` evenly spaced queries of the data set of the gallery. Raises BadTable."""
    queries = read_dataset(settings.gallery_dir.parent).queries
    return [queries[i] for i in np.linspace(0, len(queries) - 1, min(count, len(queries))).round().astype(int)]


def query_report(settings: Settings, queries: Sequence[BoxedQuery]) -> str:
    """One table for each ranking."""
    tables = []
    for ranking in RANKINGS:
        stages = traced_queries(settings, queries, ranking)
        total = np.sum([stage.milliseconds for stage in stages], axis=0)
        rows = [_row(stage, total) for stage in sorted(stages, key=lambda stage: -float(stage.milliseconds.sum()))]
        rows.append(_row(Stage("**all**", total, 1), total))
        tables.append(table([f"stage of {ranking}", "share", "p50 ms", "p95 ms", "calls per query"], rows))
        print(tables[-1], file=sys.stderr, flush=True)
    gallery = Engine(settings).gallery()
    note = NOTE.format(len(queries), settings.gallery_dir.parent.name, gallery.image_count, gallery.region_count)
    return "\n\n".join([note, *tables])


def traced_queries(settings: Settings, queries: Sequence[BoxedQuery], ranking: str) -> list[Stage]:
    """All stages that occurred, in no particular order."""
    tracer = Tracer()
    seconds, calls = [], []
    with ExitStack() as stack:
        stack.enter_context(_network_watched(tracer))
        stack.enter_context(tracer.watching(HOOKS))
        engine = Engine(settings)
        gallery = engine.gallery()
        for query in [*queries[:WARM], *queries]:
            image = load_image(query.image)
            tracer.forget()
            with tracer.stage(REST):
                engine.search(gallery, image, query.box or Box.whole(image), 10, ranking)
            seconds.append(dict(tracer.seconds))
            calls.append(dict(tracer.calls))
    seconds, calls = seconds[-len(queries) :], calls[-len(queries) :]
    return [
        Stage(
            name,
            1000 * np.array([spent.get(name, 0.0) for spent in seconds]),
            sum(count.get(name, 0) for count in calls) / len(queries),
        )
        for name in {name for spent in seconds for name in spent}
    ]


def _network_watched(tracer: Tracer) -> AbstractContextManager[object]:
    """Time the network of every embedder that an engine returns, while the context is active."""
    ready = Engine.embedder

    def watched(engine: Engine, recipe: Recipe) -> Embedder:
        embedder = ready(engine, recipe)
        return replace(embedder, run=tracer.timed(NETWORK, embedder.run))

    return mock.patch.object(Engine, "embedder", watched)


def _row(stage: Stage, total: np.ndarray) -> list[str]:
    middle, late = np.quantile(stage.milliseconds, [0.5, 0.95])
    share = stage.milliseconds.sum() / total.sum()
    return [stage.name, f"{share:.0%}", f"{middle:.1f}", f"{late:.1f}", f"{stage.calls:.1f}"]
