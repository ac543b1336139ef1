"""Every measured search method finds the nearest vectors."""

import importlib.util

import numpy as np
import pytest

from benchmarks.speed import vector_search as speed_search
from benchmarks.speed.vector_search import LIBRARIES, PRODUCT, Way, ask
from retrieval.types import unit

NEEDED = {"usearch, exact": "usearch", "usearch, HNSW": "usearch", "scikit-learn, brute cosine": "sklearn"}


@pytest.fixture(scope="module")
def vectors():
    made = unit(np.random.default_rng(1).normal(size=(500, 16)))
    made.setflags(write=False)
    return made


@pytest.mark.parametrize("name", [name for name in LIBRARIES if name != PRODUCT])
def test_the_nearest_come_first(name, vectors):
    if name in NEEDED and importlib.util.find_spec(NEEDED[name]) is None:
        pytest.skip('pip install -e ".[bench]"')
    query = unit(vectors[7] + 0.1 * vectors[8])
    rows = LIBRARIES[name](np.array(vectors))(query, 20)
    right = np.argsort(-(vectors @ query), kind="stable")[:20]
    assert rows[0] == 7
    assert np.isin(right, rows).mean() >= (0.9 if "HNSW" in name else 1)
    scores = vectors[rows] @ query
    assert (np.diff(scores) <= 1e-6).all()


def test_recall_counts_the_first_ten_and_each_query_is_timed_once(vectors):
    asked = []

    def nearest(descriptor, count):
        asked.append(count)
        return np.arange(count)

    way = Way("ours", nearest, 0.0)
    truth = np.stack([np.arange(5, 15), np.arange(10), np.arange(100, 110)])
    ask(way, vectors[:3], truth, 50)
    assert way.recalls == [0.5, 1, 0]
    assert len(way.seconds) == 3
    assert asked == [50] * 4


def test_held_counts_memory_of_this_process_only():
    before = speed_search.held()
    if not before:
        pytest.skip("only Linux tells")
    more = np.ones(200_000_000, np.uint8)
    assert speed_search.held() - before > 0.9 * more.nbytes
