"""Compare vector search with dedicated libraries, on the same vectors and queries."""

import gc
import importlib
import importlib.util
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.results import table
from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.settings import Settings
from index.gallery import open_gallery
from index.stores.store import STORES
from retrieval.errors import IndexProblem
from retrieval.images.decode import load_image
from retrieval.types import Box, Rows, Vectors

Nearest = Callable[[Vectors, int], Rows | None]
"""(descriptor (D,), K) -> rows (K,), best first; None if the method only multiplies."""
PRODUCT = "numpy, the product alone"
ROUNDS = 3
SETTLING = 0.5
"""Seconds before each turn, until the threads of the previous method stop spinning and release their core."""
NOTE = """{:,} vectors of {} dimensions, float32 ({:.0f} MB), {} queries of {}, one at a time, the {} nearest as in
`fast`. Every method has its own copy of the vectors and runs in turn in {} rounds; each library uses its own number
of threads. Memory is what the process releases when the method is deleted. Ratios compare p50 with that of the NumPy
product of the same matrix with a vector, which only multiplies."""


@dataclass(slots=True)
class Way:
    """A search method, with the seconds and the recall@10 of each query."""

    name: str
    nearest: Nearest
    made: float
    seconds: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)


def search_report(settings: Settings, queries: Sequence[BoxedQuery]) -> str:
    descriptors, folder = described(settings, queries)
    vectors: Vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    count = min(settings.search.fetch_k, len(vectors))
    ways, left_out = _made(vectors, folder)
    truth = np.argsort(-(descriptors @ np.asarray(vectors).T), axis=1, kind="stable")[:, :10]
    for number in range(ROUNDS):
        for way in ways:
            ask(way, descriptors[number::ROUNDS], truth[number::ROUNDS], count)
    product = float(np.median(next(way for way in ways if way.name == PRODUCT).seconds))
    rows = []
    while ways:
        way = ways.pop(0)
        figures = _figures(way, product)
        before = held()
        del way
        gc.collect()
        rows.append([*figures, f"{max(before - held(), 0) / 1e6:.0f}"])
        print(rows[-1], file=sys.stderr, flush=True)
    size, name = vectors.nbytes / 1e6, settings.gallery_dir.parent.name
    note = NOTE.format(*vectors.shape, size, len(descriptors), name, count, ROUNDS)
    header = ["method", "relative to product", "p50 ms", "p95 ms", "recall@10", "ready after s", "MB in memory"]
    return "\n\n".join([note, table(header, rows), *left_out])


def described(settings: Settings, queries: Sequence[BoxedQuery]) -> tuple[Vectors, Path]:
    """Descriptors of the queries (Q, D), and the folder of the current generation."""
    engine = Engine(settings)
    gallery = engine.gallery()
    embedder = engine.embedder(gallery.manifest.recipe)
    images = ((load_image(query.image), query.box) for query in queries)
    found = [embedder.query(image, box or Box.whole(image), gallery.whitening) for image, box in images]
    return np.stack([query.descriptor for query in found]), gallery.folder


def ask(way: Way, descriptors: Vectors, truth: Rows, count: int) -> None:
    """Run the queries one after the other. The first runs twice; only the second run counts."""
    time.sleep(SETTLING)
    way.nearest(descriptors[0], count)
    for descriptor, right in zip(descriptors, truth, strict=True):
        began = time.perf_counter()
        rows = way.nearest(descriptor, count)
        way.seconds.append(time.perf_counter() - began)
        if rows is not None:
            way.recalls.append(np.isin(right, rows[:10]).mean())


def held() -> int:
    """Private anonymous memory of this process in bytes; 0 without /proc."""
    status = Path("/proc/self/status")
    found = re.search(r"RssAnon:\s*(\d+) kB", status.read_text(encoding="ascii")) if status.exists() else None
    return 1024 * int(found[1]) if found else 0


def _made(vectors: Vectors, folder: Path) -> tuple[list[Way], list[str]]:
    """All available methods, and sentences about the unavailable ones."""
    ways, left_out = [], []
    makers: dict[str, Callable[[], Nearest]] = {
        f"our store, {name}": _ours(folder, name)
        for name in STORES
        if name
        not in ("auto", "milvus")  # auto is one of the others; benchmarks.speed.store_comparison measures milvus
    }
    makers |= {name: _of(make, vectors) for name, make in LIBRARIES.items()}
    for name, make in makers.items():
        began = time.perf_counter()
        try:
            ways.append(Way(name, make(), time.perf_counter() - began))
        except (ImportError, IndexProblem) as reason:
            left_out.append(f"Left out: {name} ({reason})")
            continue
        ways[-1].made = time.perf_counter() - began
    return ways, left_out


def _ours(folder: Path, name: str) -> Callable[[], Nearest]:
    def make() -> Nearest:
        gallery = open_gallery(folder, name)
        rest = [getattr(gallery, part.name) for part in fields(gallery) if part.name != "store"]
        _KEPT.append(rest)  # deleting the method must release only the store
        return lambda descriptor, count: gallery.nearest(descriptor, count)[0]

    return make


_KEPT: list[Any] = []


def _of(make: Callable[[Vectors], Nearest], vectors: Vectors) -> Callable[[], Nearest]:
    return lambda: make(np.array(vectors))


def _product(vectors: Vectors) -> Nearest:
    def nearest(descriptor: Vectors, _: int) -> None:
        vectors @ descriptor

    return nearest


def _numpy(vectors: Vectors) -> Nearest:
    def nearest(descriptor: Vectors, count: int) -> Rows:
        scores = vectors @ descriptor
        rows = np.argpartition(-scores, count - 1)[:count]
        return np.asarray(rows[np.argsort(-scores[rows])])

    return nearest


def _faiss(vectors: Vectors) -> Nearest:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return lambda descriptor, count: index.search(descriptor[None], count)[1][0]


def _usearch_exact(vectors: Vectors) -> Nearest:
    library = importlib.import_module("usearch.index")
    return lambda descriptor, count: library.search(vectors, descriptor, count, "ip", exact=True).keys.astype(np.int64)


def _usearch(vectors: Vectors) -> Nearest:
    index = importlib.import_module("usearch.index").Index(ndim=vectors.shape[1], metric="ip", dtype="f32")
    index.add(np.arange(len(vectors)), vectors)
    return lambda descriptor, count: index.search(descriptor, count).keys.astype(np.int64)


def _scikit_learn(vectors: Vectors) -> Nearest:
    model = importlib.import_module("sklearn.neighbors").NearestNeighbors(metric="cosine", algorithm="brute")
    model.fit(vectors)

    def nearest(descriptor: Vectors, count: int) -> NDArray[np.int64]:
        rows: NDArray[np.int64] = model.kneighbors(descriptor[None], count, return_distance=False)[0]
        return rows

    return nearest


LIBRARIES: dict[str, Callable[[Vectors], Nearest]] = {
    PRODUCT: _product,
    "numpy, product and argpartition": _numpy,
    "FAISS IndexFlatIP": _faiss,
    "usearch, exact": _usearch_exact,
    "usearch, HNSW": _usearch,
    "scikit-learn, brute cosine": _scikit_learn,
}


def _figures(way: Way, product: float) -> list[str]:
    middle, late = np.quantile(way.seconds, [0.5, 0.95])
    recall = f"{np.mean(way.recalls):.3f}" if way.recalls else "-"
    return [
        way.name,
        f"{middle / product:.2f} x",
        f"{1000 * middle:.2f}",
        f"{1000 * late:.2f}",
        recall,
        f"{way.made:.1f}",
    ]
