"""Every store is numpy's inner product, sorted."""

import numpy as np
import pytest

from index.store import STORES
from retrieval.types import unit

pytestmark = pytest.mark.parametrize("make", STORES.values(), ids=STORES)


def all_sorted(vectors: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores = vectors @ query
    rows = np.lexsort((np.arange(len(scores)), -scores))
    return rows, scores[rows]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("count", [1, 7, 100, 10_000])
def test_r29_vectors_without_ties(make, seed, count):
    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(rng.integers(1, 2000), rng.integers(2, 300))))
    queries = unit(rng.normal(size=(3, vectors.shape[1])))
    vectors.setflags(write=False)
    store = make(vectors)
    assert len(store) == len(vectors)
    rows, scores = store.search(queries, count)
    assert rows.shape == scores.shape == (3, min(count, len(vectors)))
    for query, its_rows, its_scores in zip(queries, rows, scores, strict=True):
        expected, expected_scores = all_sorted(vectors, query)
        assert its_scores == pytest.approx(expected_scores[:count], abs=1e-5)
        assert vectors[its_rows] @ query == pytest.approx(its_scores, abs=1e-5)
        assert len(set(its_rows.tolist())) == len(its_rows)
        clear = np.diff(expected_scores[:count], append=-2) < -1e-5  # where rounding cannot change the order
        clear &= np.diff(expected_scores[:count], prepend=2) < -1e-5
        assert np.array_equal(its_rows[clear], expected[:count][clear])


@pytest.mark.parametrize("seed", range(20))
def test_r29_equal_scores_come_by_row(make, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (rng.integers(1, 400), 3)).astype(np.float32) / 8  # exact products, and many ties
    query = rng.integers(-2, 3, 3).astype(np.float32) / 8
    store = make(vectors)
    expected, expected_scores = all_sorted(vectors, query)
    rows, scores = store.search(query[None], len(vectors))
    assert np.array_equal(rows[0], expected) and np.array_equal(scores[0], expected_scores)
    for count in (1, 5, 150):
        rows, scores = store.search(query[None], count)
        assert np.array_equal(scores[0], expected_scores[:count])
        above = scores[0] > scores[0][-1]  # which of those that tie for the last place come is left open
        assert np.array_equal(rows[0][above], expected[:count][above])
        assert np.all(np.diff(rows[0])[np.diff(scores[0]) == 0] > 0)


def test_r29_nothing_in_it_and_nothing_asked_for(make):
    empty = make(np.zeros((0, 4), np.float32))
    assert len(empty) == 0
    for count in (0, 5):
        rows, scores = empty.search(np.ones((2, 4), np.float32), count)
        assert rows.shape == scores.shape == (2, 0)
    rows, _ = make(np.eye(4, dtype=np.float32)).search(np.ones((2, 4), np.float32), 0)
    assert rows.shape == (2, 0)


def test_it_keeps_what_it_was_given(make):
    vectors = np.eye(4, dtype=np.float32)
    store = make(vectors)
    vectors[:] = 0
    assert store.search(np.eye(4, dtype=np.float32)[2:3], 1)[0].tolist() == [[2]]


def test_vectors_come_back_by_row(make):
    vectors = unit(np.random.default_rng(0).normal(size=(50, 7)))
    rows = np.array([49, 0, 7, 7])
    assert np.array_equal(make(vectors).vectors(rows), vectors[rows])
    assert make(vectors).vectors(rows[:0]).shape == (0, 7)


@pytest.mark.parametrize("seed", range(20))
def test_only_some_rows_are_searched_and_they_keep_their_numbers(make, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (rng.integers(1, 400), 3)).astype(np.float32) / 8  # exact products, and many ties
    query = rng.integers(-2, 3, 3).astype(np.float32) / 8
    start, end = np.sort(rng.integers(0, len(vectors) + 1, 2)).tolist()
    expected, expected_scores = all_sorted(vectors[start:end], query)
    store = make(vectors)
    rows, scores = store.search(query[None], len(vectors), range(start, end))
    assert np.array_equal(rows[0], expected + start) and np.array_equal(scores[0], expected_scores)
    rows, scores = store.search(query[None], 5, range(start, end))
    assert np.array_equal(scores[0], expected_scores[:5]) and set(rows[0]) <= set(range(start, end))
    for one, other in zip(store.search(query[None], 9), store.search(query[None], 9, range(len(store))), strict=True):
        assert np.array_equal(one, other)
