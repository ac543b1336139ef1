"""Time of updates, and of searches during a build. Builds run in separate processes, as the program starts them."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from benchmarks.bench import READING, Bench
from benchmarks.results import milliseconds, record, table
from boxfind.engine import Engine
from boxfind.evaluation.batch import answer_all
from boxfind.evaluation.dataset import BoxedQuery
from index.building.jobs import BuildState
from retrieval.images.decode import load_image
from retrieval.types import quiet

ADDED = 0.01
"""Share of the gallery that an update adds, removes or moves."""
SEARCHES = 120
STARTED = 20
"""Number of pictures after which all processes of a build have started."""


def measure(bench: Bench) -> None:
    gallery = bench.scratch / "changing"
    shutil.copytree(bench.dataset.gallery, gallery)
    engine = Engine(bench.settings.changed(gallery=gallery, index=bench.scratch / "changing index"))
    header = ["build", "seconds", "share of a full build", "pictures in the index"]
    record(f"Updates of {bench.dataset.name}", table(header, _updates(engine, gallery)))
    rows = [_search_times(bench, engine, ranking) for ranking in ("fast", "best")]
    header = ["ranking", "idle ms p50", "p95", "during a build ms p50", "p95", "p50, build / idle"]
    record(f"Search during a build of {bench.dataset.name}", table(header, rows))


def _updates(engine: Engine, gallery: Path) -> list[list[str]]:
    pictures = sorted(path for path in gallery.rglob("*") if path.is_file())
    count = max(round(ADDED * len(pictures)), 1)
    step = len(pictures) // count
    moved = gallery / "moved"
    moved.mkdir()

    def add() -> None:
        for number, path in enumerate(pictures[::step][:count]):
            Pillow.fromarray(load_image(path)[:, ::-1]).save(gallery / f"added-{number:04d}.jpg", quality=92)

    def remove() -> None:
        for path in pictures[1::step][:count]:
            path.unlink()

    def move() -> None:
        for path in pictures[2::step][:count]:
            path.rename(moved / path.name)

    changes: dict[str, Callable[[], object]] = {
        "first full build": lambda: None,
        f"{count} pictures added": add,
        f"{count} pictures removed": remove,
        f"{count} pictures moved to another folder": move,
        "nothing new": lambda: None,
    }
    rows, seconds = [], list[float]()
    for name, change in changes.items():
        change()
        began = time.perf_counter()
        engine.builds.start()
        _wait_while(engine, lambda state: state.state == "running")
        seconds.append(time.perf_counter() - began)
        share = seconds[-1] / seconds[0]
        rows.append([name, f"{seconds[-1]:.1f}", f"{share:.1%}", f"{engine.gallery(newest=True).image_count:,}"])
    return rows


def _search_times(bench: Bench, engine: Engine, ranking: str) -> list[str]:
    queries = bench.queries(SEARCHES)
    _search_seconds(engine, queries[:5], ranking)
    idle = _search_seconds(engine, queries, ranking)
    engine.builds.start(full=True)
    _wait_while(engine, lambda state: state.state == "running" and (state.stage != READING or state.done < STARTED))
    busy = _search_seconds(engine, queries, ranking)
    state = engine.builds.state()
    assert state and state.stage == READING, "The build was too short; use a larger gallery."
    engine.builds.cancel()
    _wait_while(engine, lambda state: state.state == "running")
    return [ranking, *milliseconds(idle), *milliseconds(busy), f"{np.median(busy) / np.median(idle):.2f}"]


def _wait_while(engine: Engine, condition: Callable[[BuildState], bool]) -> None:
    while (state := engine.builds.state()) and condition(state):
        time.sleep(0.05)
    assert state and state.state != "failed", state


def _search_seconds(engine: Engine, queries: list[BoxedQuery], ranking: str) -> list[float]:
    """Seconds of each query, from the decoded picture to ten hits, one query at a time."""
    return [answer.seconds for answer in answer_all(engine, engine.gallery(), queries, 10, ranking, quiet)]
