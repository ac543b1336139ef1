"""Search among chosen rows agrees with NumPy, whatever their share."""

import numpy as np
import pytest

from index.stores import chosen_rows as module
from index.stores.chosen_rows import search_rows
from index.stores.flat_store import FlatStore


@pytest.fixture
def vectors() -> np.ndarray:
    made = np.random.default_rng(1).normal(size=(4000, 8)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    made.setflags(write=False)
    return made


@pytest.mark.parametrize("few", [0, 20_000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.9, 1.0])
@pytest.mark.parametrize("count", [1, 10, 5000])
def test_the_nearest_chosen_rows_are_found(vectors, monkeypatch, few, share, count) -> None:
    monkeypatch.setattr(module, "FEW", few)
    monkeypatch.setattr(module, "BLOCK", 700)
    rows = np.flatnonzero(np.random.default_rng(2).random(len(vectors)) < share)
    found, scores = search_rows(FlatStore(vectors), vectors, vectors[7], count, rows)
    expected = rows[np.argsort(-(vectors[rows] @ vectors[7]), kind="stable")][:count]
    assert found.tolist() == expected.tolist()
    assert scores == pytest.approx(vectors[expected] @ vectors[7], abs=1e-6)


def test_rows_far_from_the_query_are_found_too(vectors, monkeypatch) -> None:
    """None of the first rows that the store returns is chosen."""
    monkeypatch.setattr(module, "FEW", 0)
    rows = np.sort(np.argsort(-(vectors @ vectors[7]))[2000:])
    found, _ = search_rows(FlatStore(vectors), vectors, vectors[7], 3, rows)
    assert found.tolist() == rows[np.argsort(-(vectors[rows] @ vectors[7]))][:3].tolist()
