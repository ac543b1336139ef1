"""Thirty clients search at once, twenty times each: nobody is refused, and memory comes back when they have gone."""

from pathlib import Path

import pytest

from engine import Engine
from evaluation.dataset import BoxedQuery
from retrieval.types import Box
from settings import Settings
from tests.chaos.test_kills import save

pytest.importorskip("fastapi", reason="fastapi is not installed: pip install -r requirements-api.txt")
from benchmarks.load import CLIENTS, SEARCHES, measure, p95, serving


def test_r46_thirty_clients_search_at_once_and_memory_comes_back(tmp_path: Path):
    (tmp_path / "gallery").mkdir()
    for seed in range(24):
        save(tmp_path / "gallery", f"{seed:02d}.png", seed)
    Engine(Settings(gallery=tmp_path / "gallery", index=tmp_path / "index")).build(lambda *_: None)
    pictures = sorted((tmp_path / "gallery").glob("*.png"))
    queries = [BoxedQuery(path.name, path, Box(4, 4, 60, 44)) for path in pictures]
    with serving(tmp_path / "gallery", tmp_path / "index", tmp_path / "data") as server:
        load = measure(server, queries)
    assert load.errors == 0 and len(load.statuses) == CLIENTS * SEARCHES
    assert p95(load.together) < load.bound
    assert load.after < 1.1 * load.before
    print(
        f"{CLIENTS} x {SEARCHES} searches: p95 {p95(load.together):.2f} s, {p95(load.alone):.2f} s alone; "
        f"{load.before / 1e6:.0f} MB before, {load.peak / 1e6:.0f} at most, {load.after / 1e6:.0f} after"
    )
