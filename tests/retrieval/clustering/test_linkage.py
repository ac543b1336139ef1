"""Sparse average linkage gives the same clusters as SciPy on the dense matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from retrieval.clustering.linkage import average_linkage, between_others, strongest


def table(seed: int, count: int, share: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    alike = np.triu(rng.random((count, count)) * (rng.random((count, count)) < share), 1)
    return alike + alike.T


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.array_equal(one[:, None] == one[None], other[:, None] == other[None]))


@given(st.integers(0, 10_000), st.integers(2, 40), st.floats(0.05, 1), st.sampled_from([0.05, 0.2, 0.4, 0.7]))
def test_clusters_equal_those_of_scipy(seed: int, count: int, share: float, least: float) -> None:
    alike = table(seed, count, share)
    tree = linkage(squareform(1 - alike - np.eye(count), checks=False), "average")
    assert same(average_linkage(sparse.csr_array(alike), least), fcluster(tree, 1 - least + 1e-12, "distance"))


def test_one_link_does_not_merge_clusters_and_ties_terminate() -> None:
    alike = np.zeros((6, 6))
    alike[:3, :3] = alike[3:, 3:] = 1
    alike[2, 3] = alike[3, 2] = 1
    np.fill_diagonal(alike, 0)
    assert average_linkage(sparse.csr_array(alike), 0.5).tolist() == [0, 0, 0, 1, 1, 1]
    assert average_linkage(sparse.csr_array(alike), 0.1).tolist() == [0] * 6
    assert average_linkage(sparse.csr_array(np.zeros((3, 3))), 0.5).tolist() == [0, 1, 2]
    assert average_linkage(sparse.csr_array((0, 0)), 0.5).tolist() == []


@pytest.mark.parametrize("count", [1, 3, 50])
def test_strongest_keeps_the_largest_entries_of_each_row(count: int) -> None:
    full = table(3, 20, 0.6)
    kept = strongest(sparse.csr_array(full), count).toarray()
    for row, of_row in zip(full, kept, strict=True):
        assert sorted(of_row[of_row > 0]) == sorted(row[row > 0])[-count:]


def test_between_others_removes_only_the_diagonal() -> None:
    full = table(4, 6, 0.7)
    assert np.array_equal(between_others(sparse.csr_array(full + np.eye(6))).toarray(), full)
