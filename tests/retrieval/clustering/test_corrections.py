"""Corrections of groups: linked items share a cluster, items kept apart never do, and the newest correction wins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from retrieval.clustering.corrections import Components, Correction, resolve
from retrieval.clustering.linkage import average_linkage, between_others, corrected_linkage

COUNT = 16
ITEMS = st.lists(st.integers(0, COUNT - 1), max_size=4, unique=True).map(tuple)
CORRECTIONS = st.lists(st.builds(Correction, ITEMS, ITEMS, ITEMS), max_size=5)


def similarities(seed: int, count: int = COUNT, share: float = 0.6) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    alike = np.triu(rng.random((count, count)) * (rng.random((count, count)) < share), 1)
    return sparse.csr_array(alike + alike.T)


def clusters(alike: sparse.csr_array, corrections: list[Correction], least: float = 0.4) -> list[int]:
    images = np.arange(alike.shape[0])
    labels: list[int] = corrected_linkage(alike, least, resolve(corrections)[0], images).tolist()
    return labels


@given(st.integers(0, 1000), CORRECTIONS, st.sampled_from([0.1, 0.4, 0.8]))
def test_linked_items_are_together_and_items_kept_apart_are_not(
    seed: int, corrections: list[Correction], least: float
) -> None:
    components, _ = resolve(corrections)
    labels = clusters(similarities(seed), corrections, least)
    roots = components.roots(COUNT)
    for root in set(roots.tolist()) - {-1}:
        assert len({labels[item] for item in np.flatnonzero(roots == root)}) == 1
    for one, other in components.pairs_apart().tolist():
        assert labels[one] != labels[other]


@given(st.integers(0, 1000), CORRECTIONS, ITEMS, ITEMS)
def test_the_newest_correction_always_holds(
    seed: int, corrections: list[Correction], together: tuple[int, ...], others: tuple[int, ...]
) -> None:
    apart = tuple(item for item in others if item not in together)
    labels = clusters(similarities(seed), [*corrections, Correction(together, together[:1], apart)])
    assert len({labels[item] for item in together}) <= 1
    assert not {labels[item] for item in together} & {labels[item] for item in apart if together}


@given(st.integers(0, 1000), st.sampled_from([0.05, 0.3, 0.7]))
def test_without_corrections_the_result_is_average_linkage(seed: int, least: float) -> None:
    alike = similarities(seed)
    assert clusters(alike, [], least) == average_linkage(alike, least).tolist()


@given(st.integers(0, 1000), CORRECTIONS, st.sampled_from([0.1, 0.4, 0.8]))
def test_a_cluster_without_corrected_items_does_not_change(
    seed: int, corrections: list[Correction], least: float
) -> None:
    alike = similarities(seed)
    labels, before = np.array(clusters(alike, corrections, least)), average_linkage(alike, least)
    corrected = resolve(corrections)[0].roots(COUNT) >= 0
    for cluster in set(before.tolist()) - set(before[corrected].tolist()):
        members = before == cluster
        assert len(set(labels[members].tolist())) == 1 and not np.isin(labels[~members], labels[members]).any()


@given(st.integers(0, 1000), st.integers(0, COUNT - 1))
def test_a_cluster_that_loses_its_most_typical_item_keeps_the_others(seed: int, item: int) -> None:
    alike = sparse.csr_array(similarities(seed, share=1))
    before = average_linkage(alike, 0.3)
    rest = [other for other in np.flatnonzero(before == before[item]).tolist() if other != item]
    labels = clusters(alike, [Correction((), (item,), tuple(rest))], 0.3)
    assert len({labels[other] for other in rest}) <= 1 and labels.count(labels[item]) == 1


def test_items_that_no_correction_names_go_with_the_more_similar_part() -> None:
    alike = np.full((6, 6), 0.6)
    alike[4, 0] = alike[0, 4] = 0.9
    alike[5, 0] = alike[0, 5] = 0.55
    labels = clusters(between_others(sparse.csr_array(alike)), [Correction((), (0,), (1, 2, 3))], 0.4)
    assert labels[0] == labels[4] != labels[1] == labels[2] == labels[3] == labels[5]


def test_items_of_one_image_stay_in_one_part() -> None:
    alike = between_others(sparse.csr_array(np.array([[0, 0.4, 0.9], [0.4, 0, 0.2], [0.9, 0.2, 0]]) + 0.1))
    components, _ = resolve([Correction((), (0,), (1,))])
    assert corrected_linkage(alike, 0.2, components, np.array([0, 1, 2])).tolist() == [0, 1, 0]
    assert corrected_linkage(alike, 0.2, components, np.array([0, 1, 1])).tolist() == [0, 1, 1]


def test_a_link_of_items_that_are_not_alike_merges_their_clusters_whole() -> None:
    block = np.ones((3, 3)) - np.eye(3)
    alike = sparse.csr_array(sparse.block_diag([block, block, block]))
    assert clusters(alike, [Correction((0, 3))]) == [0] * 6 + [1] * 3


def test_items_are_kept_apart_also_through_links() -> None:
    alike = sparse.csr_array(np.ones((5, 5)) - np.eye(5))
    labels = clusters(alike, [Correction((0, 1)), Correction((2, 3)), Correction((), (0,), (3,))])
    assert labels[0] == labels[1] != labels[2] == labels[3]


def test_an_item_kept_apart_from_its_nearest_one_joins_the_next() -> None:
    alike = np.array([[0, 0.9, 0.3], [0.9, 0, 0.6], [0.3, 0.6, 0]])
    labels = clusters(sparse.csr_array(alike), [Correction((), (0,), (1,))])
    assert labels[1] == labels[2] != labels[0]


def test_merges_of_one_round_do_not_join_what_is_kept_apart() -> None:
    alike = np.full((4, 4), 0.5) - np.eye(4) / 2
    alike[0, 1] = alike[2, 3] = alike[1, 0] = alike[3, 2] = 1
    labels = clusters(sparse.csr_array(alike), [Correction((), (0,), (3,)), Correction((1, 2))])
    assert labels[1] == labels[2] and labels[0] != labels[3]


def test_a_newer_correction_overrules_only_what_it_contradicts() -> None:
    components, contradicted = resolve([Correction((0, 1, 2)), Correction((), (0,), (1, 2))])
    assert contradicted == [0]
    assert components.root(1) == components.root(2) != components.root(0)
    components, contradicted = resolve([Correction((), (0,), (1,)), Correction((), (5,), (6,)), Correction((0, 1))])
    assert contradicted == [0]
    assert components.root(0) == components.root(1) and not components.join(5, 6)


def test_a_correction_repeated_or_undone_by_none_contradicts_nothing() -> None:
    again = [Correction((0, 1), (0,), (2, 3))] * 2
    assert resolve(again)[1] == [] and resolve([])[1] == []


def test_sets_joined_later_stay_apart_from_the_same_sets() -> None:
    components = Components()
    assert components.keep_apart(0, 1) and components.join(2, 1) and components.join(3, 0)
    assert not components.join(2, 3) and not components.keep_apart(0, 3)
    assert len(components.pairs_apart()) == 2


@pytest.mark.parametrize("least", [0.1, 0.5])
def test_linkage_does_not_change_its_inputs(least: float) -> None:
    alike, (components, _) = similarities(1), resolve([Correction((0, 1), (0,), (2,))])
    before, pairs = alike.copy(), components.pairs_apart().tolist()
    corrected_linkage(alike, least, components, np.arange(COUNT))
    assert (alike != before).nnz == 0 and components.pairs_apart().tolist() == pairs
