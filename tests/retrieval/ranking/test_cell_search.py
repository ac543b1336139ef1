"""The search by cells finds nearly all neighbours, and the same ones whatever the number of threads."""

import numpy as np
import pytest

from retrieval import blas_threads
from retrieval.ranking import cell_search, diffusion
from retrieval.ranking.cell_search import nearest_in_cells
from retrieval.ranking.diffusion import Neighbours, find_neighbours
from retrieval.types import unit


def clustered(pictures: int, seed: int = 0, objects: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Two regions per picture, each a noisy view of one of some objects."""
    rng = np.random.default_rng(seed)
    of_region = rng.integers(0, objects, 2 * pictures)
    centres = np.random.default_rng(99).normal(size=(objects, 32))
    vectors = unit(np.asarray(centres[of_region] + 0.7 * rng.normal(size=(2 * pictures, 32)), np.float32))
    vectors.setflags(write=False)
    return vectors, np.repeat(np.arange(pictures), 2)


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.mean([np.isin(one, other).mean() for one, other in zip(exact, found, strict=True)]))


@pytest.fixture
def by_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffusion, "LARGE", 100)
    monkeypatch.setattr(diffusion, "FEW_PENDING", 50)
    monkeypatch.setattr(cell_search, "COMPARED", 12)


def test_nearly_all_neighbours_are_found(by_cells, monkeypatch: pytest.MonkeyPatch):
    vectors, images = clustered(1500)
    told: list[tuple[int, int]] = []
    found = find_neighbours(vectors, images, progress=lambda *at: told.append(at))
    monkeypatch.setattr(diffusion, "LARGE", len(vectors))
    exact = find_neighbours(vectors, images)
    assert 0.95 < recall(found.nearest, exact.nearest) < 1
    assert (np.diff(found.nearest, axis=1) > 0).all() and (images[found.nearest] != images[:, None]).all()
    assert all(len(set(images[row])) == 10 for row in found.nearest)
    assert found.similarities == pytest.approx(np.einsum("bd,bkd->bk", vectors, vectors[found.nearest]), abs=1e-6)
    assert told == sorted(told) and told[-1] == (len(vectors), len(vectors))


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_does_not_change_the_graph(threads, by_cells, monkeypatch: pytest.MonkeyPatch):
    vectors, images = clustered(800)
    here = nearest_in_cells(vectors, images, 10)
    monkeypatch.setattr(blas_threads, "cpu_count", lambda: threads)
    assert np.array_equal(nearest_in_cells(vectors, images, 10), here)


def test_cells_with_few_pictures_look_further(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cell_search, "COMPARED", 1)
    monkeypatch.setattr(cell_search, "CELLS_PER_ROOT", 8)
    vectors, images = clustered(40)
    found = nearest_in_cells(vectors, images, 10)
    assert all(len(set(images[row])) == 10 for row in found)


def test_an_update_looks_up_only_what_is_new(by_cells, monkeypatch: pytest.MonkeyPatch):
    vectors, images = clustered(1000)
    before = find_neighbours(vectors[:-40], images[:-40])
    known = Neighbours(before.nodes, before.nodes[before.nearest], before.similarities)
    monkeypatch.setattr(diffusion, "nearest_in_cells", None)  # would raise
    told: list[tuple[int, int]] = []
    updated = find_neighbours(vectors, images, known, lambda *at: told.append(at))
    assert told[-1] == (40, 40)
    kept = np.array([np.isin(now, was).sum() for was, now in zip(before.nearest, updated.nearest, strict=False)])
    assert kept.min() < 10 and kept.mean() > 9  # some have nearer neighbours among the new ones
    monkeypatch.setattr(diffusion, "LARGE", len(vectors))
    exact = find_neighbours(vectors, images)
    assert recall(updated.nearest, exact.nearest) > 0.92
    assert recall(updated.nearest[-40:], exact.nearest[-40:]) == 1


def test_many_new_pictures_are_found_by_cells(by_cells):
    vectors, images = clustered(600)
    before = find_neighbours(vectors[:600], images[:600])
    known = Neighbours(before.nodes, before.nodes[before.nearest], before.similarities)
    updated, anew = find_neighbours(vectors, images, known), find_neighbours(vectors, images)
    assert np.array_equal(updated.nearest, anew.nearest) and np.array_equal(updated.similarities, anew.similarities)
