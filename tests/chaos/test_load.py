"""Thirty clients search at once: nobody is refused, memory comes back, and an engine that dies is waited for."""

from pathlib import Path

import pytest

from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.settings import Settings
from retrieval.types import Box
from tests.chaos.test_kills import save

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
from benchmarks.api_clients import CLIENTS, p95, serving
from benchmarks.load import SEARCHES, bound, measure_load, search_during_outage


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 24 pictures, which lie beside it."""
    folder = tmp_path_factory.mktemp("load")
    (folder / "gallery").mkdir()
    for seed in range(24):
        save(folder / "gallery", f"{seed:02d}.png", seed)
    Engine(Settings.load(gallery=folder / "gallery", index=folder / "index")).builds.build(lambda *_: None)
    return folder / "index"


@pytest.fixture(scope="module")
def queries(index: Path) -> list[BoxedQuery]:
    pictures = sorted((index.parent / "gallery").glob("*.png"))
    return [BoxedQuery(path.name, path, Box(4, 4, 60, 44)) for path in pictures]


def test_r46_thirty_clients_search_at_once_and_memory_comes_back(index, queries, tmp_path):
    with serving(index.parent / "gallery", index, tmp_path) as server:
        load = measure_load(server, queries, SEARCHES)
    assert [response.status for response in load.together] == [200] * CLIENTS * SEARCHES
    assert p95(load.together) < bound(load.alone)
    assert load.memory_after < 1.1 * load.memory_before
    print(
        f"{CLIENTS} x {SEARCHES} searches: p95 {p95(load.together):.2f} s, {p95(load.alone):.2f} s alone; "
        f"{load.memory_before / 1e6:.0f} MB before, {load.memory_after / 1e6:.0f} after"
    )


def test_r54_thirty_clients_search_while_the_engine_is_killed_and_comes_back(index, queries, tmp_path):
    for library in ("pymilvus", "milvus_lite"):
        pytest.importorskip(library, reason=f'{library} is not installed: pip install -e ".[milvus]"')
    from index.milvus.client import SILENT

    outage = search_during_outage(index.parent / "gallery", index, tmp_path, queries, searches=5, timeout=1.0)
    assert outage.others == [] and len(outage.accepted) == CLIENTS * 5
    assert outage.refusals and all(SILENT in answer.text for answer in outage.refusals)
    assert outage.slowest < outage.bound
    assert outage.same_hits
    print(
        f"{len(outage.refusals)} refusals, the slowest answer after {outage.slowest:.1f} of {outage.bound:.1f} s, "
        f"hits {outage.recovery:.1f} s after Milvus was restarted"
    )
