"""Measure updates, and searches during a build: python -m benchmarks.speed.update DATASET.

Builds run in separate processes, as the program starts them, on a copy of the pictures.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from benchmarks.results import keep, table
from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.settings import Settings
from retrieval.images.decode import load_image
from retrieval.types import Box

ADDED = 0.01
SEARCHES = 120
RANKINGS = ("fast", "best")


def main(folder: Path) -> None:
    dataset = read_dataset(folder)
    with tempfile.TemporaryDirectory() as scratch:
        gallery = Path(scratch) / "gallery"
        shutil.copytree(dataset.gallery, gallery)
        engine = Engine(Settings.load(gallery=gallery, index=Path(scratch) / "index"))
        rows = list(_updates(engine, gallery))
        header = ["build", "seconds", "share of a full build", "pictures in the index"]
        keep(f"Updates of {dataset.name}", table(header, rows))
        queries = [query for query in dataset.queries if query.box][:SEARCHES]
        rows = [_latency(engine, queries, ranking) for ranking in RANKINGS]
        header = ["ranking", "idle ms p50", "p95", "during a build ms p50", "p95", "p50, build / idle"]
        keep(f"Search during a build of {dataset.name}", table(header, rows))


def _updates(engine: Engine, gallery: Path) -> Iterator[list[str]]:
    pictures = sorted(path for path in gallery.rglob("*") if path.is_file())
    full = _built(engine)
    yield _row("first full build", full, full, engine)
    count = round(ADDED * len(pictures))
    for number, path in enumerate(pictures[:: len(pictures) // count][:count]):
        _mirrored(path, gallery / f"added-{number:04d}.jpg")
    yield _row(f"{count} pictures added", _built(engine), full, engine)
    for path in pictures[1 :: len(pictures) // count][:count]:
        path.unlink()
    yield _row(f"{count} pictures removed", _built(engine), full, engine)
    (gallery / "moved").mkdir()
    for path in pictures[2 :: len(pictures) // count][:count]:
        path.rename(gallery / "moved" / path.name)
    yield _row(f"{count} pictures moved to another folder", _built(engine), full, engine)
    yield _row("nothing new", _built(engine), full, engine)


def _mirrored(path: Path, to: Path) -> None:
    Pillow.fromarray(load_image(path)[:, ::-1]).save(to, quality=92)


def _built(engine: Engine) -> float:
    began = time.perf_counter()
    engine.start_build()
    _wait(engine)
    return time.perf_counter() - began


def _wait(engine: Engine) -> None:
    while (state := engine.build_state()) is not None and state.state == "running":
        time.sleep(0.05)
    if state is None or state.state != "done":
        sys.exit(f"The build failed: {state and state.message}")


def _row(name: str, seconds: float, full: float, engine: Engine) -> list[str]:
    return [name, f"{seconds:.1f}", f"{seconds / full:.1%}", f"{engine.gallery().image_count:,}"]


def _latency(engine: Engine, queries: list[BoxedQuery], ranking: str) -> list[str]:
    for _ in _searches(engine, queries[:5], ranking):
        pass
    quiet = np.array(list(_searches(engine, queries, ranking)))
    engine.start_build(full=True)
    while (state := engine.build_state()) is None or state.stage != "Reading pictures" or state.done < 20:
        time.sleep(0.1)
    busy = np.array(list(_searches(engine, queries, ranking)))
    state = engine.build_state()
    assert state is not None and state.stage == "Reading pictures", "the build was over before the searches were"
    engine.cancel_build()
    while (state := engine.build_state()) is not None and state.state == "running":
        time.sleep(0.1)
    milliseconds = [1000 * np.quantile(times, share) for times in (quiet, busy) for share in (0.5, 0.95)]
    return [ranking, *(f"{value:.0f}" for value in milliseconds), f"{np.median(busy) / np.median(quiet):.2f}"]


def _searches(engine: Engine, queries: list[BoxedQuery], ranking: str) -> Iterator[float]:
    gallery = engine.gallery()
    for query in queries:
        image = load_image(query.image)
        began = time.perf_counter()
        engine.search(gallery, image, query.box or Box.whole(image), 10, ranking)
        yield time.perf_counter() - began


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
