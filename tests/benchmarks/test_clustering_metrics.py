"""Purity and NMI of groups separate perfect from useless groups."""

import numpy as np
import pytest

from benchmarks.clustering_metrics import agreement, main_group, purity
from index.groups.groups import Group, Grouped, Member
from retrieval.types import Box, Region

REGION = Region(Box(0, 0, 9, 9), "grid")
OBJECTS = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "b2": "b", "b3": "b"}


def grouped(*groups: list[str], strengths: dict[str, float] | None = None) -> Grouped:
    def group(images: list[str]) -> Group:
        return Group(tuple(Member(image, REGION, 1.0, 1, False) for image in images))

    inside = {image for images in groups for image in images}
    return Grouped(tuple(map(group, groups)), tuple(sorted(OBJECTS.keys() - inside)))


def test_purity() -> None:
    assert purity(np.array([0, 0, 1, 1, 1]), np.array([7, 7, 7, 3, 3])) == pytest.approx(4 / 5)
    assert purity(np.zeros(0, int), np.zeros(0, int)) == 0


def test_perfect_groups_and_a_single_group_of_everything() -> None:
    perfect = agreement(grouped(["a1", "a2", "a3"], ["b1", "b2", "b3"]), OBJECTS)
    assert (perfect.groups, perfect.grouped, perfect.purity) == (2, 1, 1)
    assert perfect.nmi == pytest.approx(1) and perfect.nmi_all == pytest.approx(1)
    useless = agreement(grouped(list(OBJECTS)), OBJECTS)
    assert useless.purity == 0.5 and useless.nmi == pytest.approx(0)


def test_ungrouped_pictures_lower_only_the_share_and_the_nmi_of_all() -> None:
    found = agreement(grouped(["a1", "a2", "a3"], ["b1", "b2"]), OBJECTS)
    assert found.grouped == pytest.approx(5 / 6) and found.purity == 1
    assert found.nmi == pytest.approx(1) and found.nmi_all < 0.95


def test_a_picture_in_two_groups_counts_in_the_one_where_it_is_strongest() -> None:
    weak = Group((Member("a1", REGION, 0.5, 1, False),))
    strong = Group((Member("a1", REGION, 2.0, 0.2, False),))
    assert main_group(Grouped((weak, strong), ())) == {"a1": 1}
    assert main_group(Grouped((strong, weak), ())) == {"a1": 0}
