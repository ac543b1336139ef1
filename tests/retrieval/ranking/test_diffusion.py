"""The graph equals a naive two-loop implementation, and diffusion solves its equation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from retrieval.ranking import diffusion
from retrieval.ranking.diffusion import (
    DAMPING,
    GAMMA,
    NEIGHBOURS,
    Graph,
    Neighbours,
    diffuse,
    find_neighbours,
    make_graph,
)
from retrieval.types import unit


def random_regions(seed: int, images: int, most_regions: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, most_regions + 1, images)
    vectors = unit(rng.normal(size=(counts.sum(), 6)) + 0.5)
    vectors.setflags(write=False)
    return vectors, np.repeat(np.arange(images), counts)


def plain_loops(vectors: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The affinity (M, M) of nodes (M, D), dense."""
    joined = np.zeros((len(vectors), len(vectors)))
    for node in range(len(vectors)):
        best: dict[int, tuple[float, int]] = {}
        for other in range(len(vectors)):
            similarity = float(vectors[node] @ vectors[other])
            image = int(images[other])
            if image != images[node] and (image not in best or similarity > best[image][0]):
                best[image] = similarity, other
        for similarity, other in sorted(best.values(), reverse=True)[:NEIGHBOURS]:
            joined[node, other] = max(similarity, 0) ** GAMMA
    joined = np.maximum(joined, joined.T)
    root = np.sqrt(np.maximum(joined.sum(axis=1), 1e-30))
    return joined / root[:, None] / root[None, :]


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 25), st.integers(1, 5))
def test_graph_equals_a_plain_loop(seed, images, most_regions):
    vectors, of_row = random_regions(seed, images, most_regions)
    graph = make_graph(find_neighbours(vectors, of_row))
    assert graph.nodes.tolist() == list(range(len(vectors)))
    assert graph.affinity.dtype == np.float32
    assert graph.affinity.toarray() == pytest.approx(plain_loops(vectors, of_row), abs=1e-5)


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_graph_is_symmetric_and_joins_only_different_images(seed):
    vectors, images = random_regions(seed, 14, 6)
    graph = make_graph(find_neighbours(vectors, images))
    dense = graph.affinity.toarray()
    assert not dense[images[:, None] == images[None, :]].any()
    assert dense == pytest.approx(dense.T, abs=1e-6) and dense.min() >= 0
    assert np.abs(np.linalg.eigvalsh(dense)).max() < 1 + 1e-5  # so that (I - aS) can be solved for every a < 1


def test_neighbours_are_in_ten_different_images():
    vectors = unit(np.array([[1, 0], [1, 0.01], [1, 0.02], [1, 0.03]]))
    joined = make_graph(find_neighbours(vectors, np.array([0, 1, 1, 1]))).affinity.toarray() > 0
    assert joined[0].tolist() == [False, True, True, True]  # each other node chose the first,
    assert joined[1:, 1:].sum() == 0
    images = 13
    around = unit(np.stack([np.cos(np.arange(images) * 0.1), np.sin(np.arange(images) * 0.1)], axis=1))
    first = make_graph(find_neighbours(around, np.arange(images))).affinity.toarray()[0]
    assert np.flatnonzero(first).tolist() == list(range(1, 11))  # 11 and 12 have ten nearer neighbours


def test_block_size_does_not_change_the_graph(monkeypatch):
    vectors, images = random_regions(3, 17, 4)
    told = []
    at_once = make_graph(find_neighbours(vectors, images))
    monkeypatch.setattr(diffusion, "BLOCK_BYTES", 4 * len(vectors) * 7)  # seven nodes at a time
    in_blocks = make_graph(find_neighbours(vectors, images, progress=lambda *at: told.append(at)))
    assert in_blocks.affinity.toarray() == pytest.approx(at_once.affinity.toarray(), abs=1e-6)
    assert told == [(min(start + 7, len(vectors)), len(vectors)) for start in range(0, len(vectors), 7)]


def test_large_gallery_uses_the_first_regions_of_each_image(monkeypatch):
    vectors, images = random_regions(4, 10, 6)
    monkeypatch.setattr(diffusion, "MAX_NODES", 25)  # two an image
    graph = make_graph(find_neighbours(vectors, images))
    expected = [row for n in range(10) for row in np.flatnonzero(images == n)[:2]]
    assert graph.nodes.tolist() == expected and graph.affinity.shape == (len(expected), len(expected))
    assert graph.affinity.toarray() == pytest.approx(plain_loops(vectors[expected], images[expected]), abs=1e-5)
    monkeypatch.setattr(diffusion, "MAX_NODES", 3)  # never none
    assert make_graph(find_neighbours(vectors, images)).nodes.tolist() == [
        np.flatnonzero(images == n)[0] for n in range(10)
    ]
    monkeypatch.undo()
    many = unit(np.random.default_rng(0).normal(size=(40, 6)))
    assert make_graph(find_neighbours(many, np.zeros(40, int))).nodes.tolist() == list(
        range(diffusion.NODES_OF_IMAGE[0])
    )


@pytest.mark.parametrize(("counts", "joined"), [([], 0), ([1], 0), ([5], 0), ([1, 1], 2), ([2, 3], 6)])
def test_very_small_galleries(counts, joined):
    images = np.repeat(np.arange(len(counts)), counts)
    vectors = unit(np.random.default_rng(1).random((len(images), 4)) + 0.1)
    graph = make_graph(find_neighbours(vectors, images))
    assert graph.nodes.tolist() == list(range(len(images))) and graph.affinity.shape == (len(images),) * 2
    assert graph.affinity.toarray() == pytest.approx(plain_loops(vectors, images), abs=1e-5)
    assert joined // 2 <= graph.affinity.count_nonzero() <= joined
    reached = diffuse(graph, np.arange(len(images)), np.ones(len(images), np.float32))
    assert reached.shape == (len(images),) and np.isfinite(reached).all()


@pytest.mark.parametrize("vector", [[1, 0], [0, 0]])
def test_graph_of_identical_vectors(vector):
    vectors = np.tile(np.array(vector, np.float32), (40, 1))
    graph = make_graph(find_neighbours(vectors, np.repeat(np.arange(20), 2)))
    assert np.isfinite(graph.affinity.data).all()
    assert (graph.affinity.count_nonzero() > 0) == any(vector)
    reached = diffuse(graph, np.array([0, 3]), np.ones(2, np.float32))
    assert np.isfinite(reached).all() and reached.max() == 1 and reached.min() >= 0


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 20))
def test_diffusion_solves_its_equation(seed, images):
    vectors, of_row = random_regions(seed, images, 3)
    graph = make_graph(find_neighbours(vectors, of_row))
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(vectors))[:4]
    similarities = rng.uniform(0.3, 1, len(rows)).astype(np.float32)
    source = np.zeros(len(vectors))
    source[rows] = similarities**GAMMA
    expected = np.linalg.solve(np.eye(len(vectors)) - DAMPING * plain_loops(vectors, of_row), source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diffusion, "ITERATIONS", 200)
        reached = diffuse(graph, rows, similarities)
    assert reached == pytest.approx(np.clip(expected / expected.max(), 0, None), abs=1e-4)
    assert diffuse(graph, rows, similarities) == pytest.approx(reached, abs=0.01)  # a dozen steps are enough


CHAIN = unit(np.array([[1, 0], [1, 1], [0, 1]]))  # the ends have nothing in common


def test_diffusion_reaches_indirect_neighbours():
    graph = make_graph(find_neighbours(CHAIN, np.arange(3)))
    reached = diffuse(graph, np.array([0]), np.ones(1, np.float32))
    half = np.sqrt(0.5)
    affinity = np.array([[0, half, 0], [half, 0, half], [0, half, 0]])  # two equal joints; the middle has degree two
    assert graph.affinity.toarray() == pytest.approx(affinity, abs=1e-6)
    expected = np.linalg.solve(np.eye(3) - DAMPING * affinity, [1, 0, 0])
    assert reached == pytest.approx(expected / expected.max(), abs=1e-5)
    assert reached[2] > 0.3 and CHAIN[0] @ CHAIN[2] == 0


def test_negative_similarities_are_ignored():
    graph = make_graph(find_neighbours(CHAIN, np.arange(3)))
    both = diffuse(graph, np.array([0, 2]), np.array([0.8, -0.8], np.float32))
    assert np.array_equal(both, diffuse(graph, np.array([0]), np.array([0.8], np.float32)))
    assert not diffuse(graph, np.array([0, 2]), np.array([-0.8, -0.1], np.float32)).any()


def test_rows_outside_the_graph_are_ignored():
    graph = Graph(np.array([2, 5, 9]), make_graph(find_neighbours(CHAIN, np.arange(3))).affinity)
    alone = diffuse(graph, np.array([5]), np.array([0.8], np.float32))
    with_others = diffuse(graph, np.array([0, 5, 3, 10, 99]), np.array([0.9, 0.8, 0.7, 0.6, 0.5], np.float32))
    assert np.array_equal(with_others, alone) and alone.argmax() == 1


def test_diffusion_without_a_source_is_zero():
    graph = make_graph(find_neighbours(CHAIN, np.arange(3)))
    for rows in ([], [7]):
        reached = diffuse(graph, np.array(rows, int), np.ones(len(rows), np.float32))
        assert reached.tolist() == [0, 0, 0]
    empty = Graph(np.zeros(0, int), sparse.csr_array((0, 0), dtype=np.float32))
    assert diffuse(empty, np.array([0]), np.ones(1, np.float32)).shape == (0,)


def rows_in(vectors, images, kept):
    """A gallery restricted to some images: vectors, renumbered images, and the new row of each old row."""
    stays = np.isin(images, kept)
    rows = np.where(stays, np.cumsum(stays) - 1, -1)
    return vectors[stays], np.unique(images[stays], return_inverse=True)[1], rows


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(3, 30), st.integers(1, 5), st.integers(0, 4), st.integers(0, 4))
def test_update_equals_a_full_search(seed, images, most_regions, removed, added):
    """After images are removed and inserted, the neighbours equal those of a full search."""
    vectors, of_row = random_regions(seed, images + added, most_regions)
    rng = np.random.default_rng(seed)
    order = rng.permutation(images + added)
    before, after = np.sort(order[added:]), np.sort(order[: images + added - removed])
    old, old_images, old_row = rows_in(vectors, of_row, before)
    new, new_images, new_row = rows_in(vectors, of_row, after)
    first = find_neighbours(old, old_images)
    here = new_row[np.flatnonzero(old_row >= 0)]  # row of the old gallery -> row of the new one, or -1
    known = Neighbours(here[first.nodes], here[first.nodes[first.nearest]], first.similarities)
    anew, told = find_neighbours(new, new_images), []
    updated = find_neighbours(new, new_images, known, lambda *at: told.append(at))
    assert np.array_equal(updated.nodes, anew.nodes) and np.array_equal(updated.nearest, anew.nearest)
    assert np.array_equal(updated.similarities, anew.similarities)
    if not removed and not added:
        assert told == []  # nothing to search


def test_more_regions_per_image_force_a_full_search(monkeypatch):
    vectors, images = random_regions(4, 10, 6)
    monkeypatch.setattr(diffusion, "MAX_NODES", 25)  # two an image
    few = find_neighbours(vectors, images)
    monkeypatch.undo()
    known = Neighbours(few.nodes, few.nodes[few.nearest], few.similarities)
    again, all_of_them = find_neighbours(vectors, images, known), find_neighbours(vectors, images)
    assert np.array_equal(again.nearest, all_of_them.nearest) and len(again.nodes) > len(few.nodes)


def test_in_a_large_graph_similarity_reaches_the_nearest_nodes(monkeypatch):
    vectors, of_row = random_regions(7, 200, 3)
    graph = make_graph(find_neighbours(vectors, of_row))
    rows, similarities = np.array([3, 50, 120]), np.array([0.9, 0.7, 0.8], np.float32)
    everywhere = diffuse(graph, rows, similarities)
    monkeypatch.setattr(diffusion, "LARGE", 100)
    assert np.array_equal(diffuse(graph, rows, similarities), everywhere)  # all nodes are near
    monkeypatch.setattr(diffusion, "NEAR_NODES", 60)
    near = diffuse(graph, rows, similarities)
    assert np.count_nonzero(near) == 60 and near.max() == 1
    assert set(np.argsort(-near)[:20]) & set(rows.tolist()) == set(rows.tolist())
    assert len(set(np.argsort(-near)[:20]) & set(np.argsort(-everywhere)[:20])) >= 16
    assert not diffuse(graph, np.array([10**6]), np.ones(1, np.float32)).any()


def test_a_new_image_that_is_nearest_to_none_changes_no_neighbours():
    images = np.repeat(np.arange(NEIGHBOURS + 3), 1)
    vectors = unit(np.tile([1.0, 0.0], (len(images), 1)).astype(np.float32))
    before = find_neighbours(vectors, images)
    new = np.concatenate([vectors, unit(np.array([[-1.0, 0.0]], np.float32))])
    known = Neighbours(before.nodes, before.nodes[before.nearest], before.similarities)
    after = find_neighbours(new, np.append(images, len(images)), known)
    assert np.array_equal(after.nearest[:-1], before.nearest)
