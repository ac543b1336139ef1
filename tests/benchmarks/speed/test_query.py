"""The stages of a query, on a small index."""

import numpy as np
import pytest

from benchmarks.speed.query import HOOKS, NETWORK, REST, query_report, traced_queries
from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.settings import Settings
from retrieval.types import Box
from tests.tiny import use_tiny_network


@pytest.fixture
def settings(gallery, build_index, monkeypatch):
    use_tiny_network(monkeypatch)
    return Settings.load(gallery=gallery, index=build_index(gallery).parent)


@pytest.fixture
def queries(gallery):
    return [BoxedQuery(f"q{n}", gallery / f"{n}.png", Box(8, 8, 100, 90)) for n in range(3)]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: f"{hook.owner.__name__}.{hook.name}")
def test_every_hook_exists(hook):
    assert callable(getattr(hook.owner, hook.name))


def test_the_stages_of_a_fast_query(settings, queries):
    stages = {stage.name: stage for stage in traced_queries(settings, queries, "fast")}
    assert {NETWORK, REST, "pooling", "whitening", "vector search", "naming the hits"} <= stages.keys()
    assert not {"expansion", "verification", "diffusion"} & stages.keys()
    assert all(stage.milliseconds.shape == (3,) for stage in stages.values())
    assert stages[NETWORK].calls == 1  # the tiny recipe has one view
    assert stages["naming the hits"].calls == 8  # every picture
    assert all((stage.milliseconds >= 0).all() for stage in stages.values())


def test_best_has_its_own_stages(settings, queries):
    names = {stage.name for stage in traced_queries(settings, queries, "best")}
    assert {"expansion", "verification", "diffusion"} <= names


def test_the_report_has_a_table_for_each_ranking(settings, queries):
    report = query_report(settings, queries)
    assert "| stage of fast |" in report
    assert "| stage of best |" in report
    assert report.count("| **all** | 100% |") == 2
    assert "an index of 8 pictures" in report


def test_tracing_restores_all_functions(settings, queries):
    before = [getattr(hook.owner, hook.name) for hook in HOOKS]
    traced_queries(settings, queries, "fast")
    assert [getattr(hook.owner, hook.name) for hook in HOOKS] == before
    assert np.isfinite(Engine(settings).gallery().region_count)
