"""Object instances are found in synthetic regions, and instances of one object form one group."""

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.clustering.corrections import Correction, resolve
from retrieval.clustering.grouping import LIKENESS, MIN_GROUP_PICTURES, group_instances, typical
from retrieval.clustering.object_instances import (
    ObjectInstances,
    find_object_instances,
    least_similarity,
    repeated,
    with_regions,
)
from retrieval.ranking.confidence import BackgroundScores
from retrieval.ranking.diffusion import find_neighbours
from retrieval.types import Numbers, Vectors, unit

BACKGROUND = BackgroundScores(0.4, 0.05)
OBJECTS, IMAGES_PER_OBJECT = 5, 8
REGIONS = 5
DIMENSIONS = 64


def gallery(seed: int = 0) -> tuple[Vectors, Numbers, NDArray[np.int32], list[int]]:
    """40 images of 5 objects, then 4 images without a repeated object: one object region and 4 random regions each."""
    rng = np.random.default_rng(seed)
    objects = unit(rng.normal(size=(OBJECTS, DIMENSIONS)))
    shown = [*np.repeat(np.arange(OBJECTS), IMAGES_PER_OBJECT).tolist(), -1, -1, -1, -1]
    vectors = rng.normal(size=(len(shown), REGIONS, DIMENSIONS))
    for picture, object_ in enumerate(shown):
        if object_ >= 0:
            vectors[picture, 1] = objects[object_] * 8 + rng.normal(size=DIMENSIONS) * 0.4
    boxes = np.tile([[x, 0, x + 10, 10] for x in range(0, 20 * REGIONS, 20)], (len(shown), 1)).astype(np.int32)
    found = unit(vectors.reshape(-1, DIMENSIONS)), np.repeat(np.arange(len(shown)), REGIONS), boxes
    for array in found:
        array.setflags(write=False)
    return *found, shown


def instances_of(vectors: Vectors, images: Numbers, boxes: NDArray[np.int32]) -> ObjectInstances:
    neighbours = find_neighbours(vectors, images)
    nodes = neighbours.nodes
    return find_object_instances(neighbours, images[nodes], boxes[nodes], vectors[nodes], BACKGROUND)


@pytest.mark.parametrize("seed", range(3))
def test_each_object_is_one_group_of_its_regions(seed: int) -> None:
    vectors, images, boxes, shown = gallery(seed)
    instances = instances_of(vectors, images, boxes)
    groups = group_instances(instances)
    members = [instances.images[groups == number].tolist() for number in range(groups.max() + 1)]
    assert sorted(members) == [[p for p, object_ in enumerate(shown) if object_ == t] for t in range(OBJECTS)]
    assert (instances.rows[groups >= 0] % REGIONS == 1).all()


def test_profiles_have_unit_length_and_instances_are_sorted_by_image() -> None:
    vectors, images, boxes, _ = gallery()
    instances = instances_of(vectors, images, boxes)
    assert np.allclose(instances.profiles.multiply(instances.profiles).sum(axis=1), 1)
    assert (np.diff(instances.images) >= 0).all() and np.array_equal(images[instances.rows], instances.images)
    assert (instances.strengths > 0).all()


def test_images_with_two_objects_are_in_two_groups() -> None:
    vectors, images, boxes, _ = gallery()
    other = unit(np.random.default_rng(9).normal(size=DIMENSIONS))
    vectors = vectors.copy()
    for picture in (0, 9, 17, 25):  # each with an additional object
        vectors[picture * REGIONS + 3] = unit(other * 8 + np.random.default_rng(picture).normal(size=DIMENSIONS) * 0.4)
    instances = instances_of(vectors, images, boxes)
    groups = group_instances(instances)
    members = [instances.images[groups == number].tolist() for number in range(groups.max() + 1)]
    assert [0, 9, 17, 25] in members and list(range(8)) in members


def test_groups_have_distinct_images_and_are_sorted_by_size() -> None:
    vectors, images, boxes, _ = gallery()
    instances = instances_of(vectors, images, boxes)
    for likeness in (0.05, 0.3, 0.9):
        groups = group_instances(instances, likeness)
        sizes = np.bincount(groups[groups >= 0])
        assert (np.diff(sizes) <= 0).all() and (sizes >= MIN_GROUP_PICTURES).all()
        pairs = list(zip(groups[groups >= 0].tolist(), instances.images[groups >= 0].tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)


def test_typical_is_the_mean_similarity_within_the_group() -> None:
    vectors, images, boxes, _ = gallery()
    instances = instances_of(vectors, images, boxes)
    groups = group_instances(instances)
    likenesses = typical(instances, groups)
    alike = (instances.profiles @ instances.profiles.T).toarray()
    for instance, group in enumerate(groups):
        others = [other for other in np.flatnonzero(groups == group) if other != instance]
        expected = alike[instance, others].mean() if group >= 0 else 0
        assert likenesses[instance] == pytest.approx(expected, abs=1e-5)


def test_repeated_is_high_for_textures_and_low_for_objects() -> None:
    rng = np.random.default_rng(1)
    grass, cup = unit(rng.normal(size=(2, 64)))
    vectors = unit(np.array([grass, grass, cup, cup]))
    boxes = np.array([[0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 60, 20], [45, 5, 65, 25]], np.int32)
    assert repeated(np.zeros(4, int), boxes, vectors) == pytest.approx(
        [1, 1, max(cup @ grass, 0)] * 1 + [max(cup @ grass, 0)]
    )
    assert repeated(np.array([0, 1, 2, 3]), boxes, vectors).tolist() == [0, 0, 0, 0]


def test_unrelated_images_are_not_grouped() -> None:
    rng = np.random.default_rng(2)
    vectors = unit(rng.normal(size=(12 * REGIONS, DIMENSIONS)))
    images = np.repeat(np.arange(12), REGIONS)
    boxes = np.tile(np.array([[0, 0, 9, 9]], np.int32), (len(images), 1))
    instances = find_object_instances(
        find_neighbours(vectors, images), images, boxes, vectors, BackgroundScores(0.3, 0.05)
    )
    assert (group_instances(instances) == -1).all()


def test_gallery_of_one_image_has_no_instances() -> None:
    vectors, images, boxes, _ = gallery()
    instances = instances_of(vectors[:REGIONS], images[:REGIONS], boxes[:REGIONS])
    assert len(instances.images) == 0 and instances.profiles.shape == (0, 1)
    groups = group_instances(instances, 0.5)
    assert groups.tolist() == [] and typical(instances, groups).tolist() == []


def test_least_similarity_limits_the_expected_chance_links() -> None:
    for pictures, most in ((2000, 5), (40, 2)):
        least = least_similarity(BACKGROUND, pictures)
        assert BACKGROUND.expected(least, pictures) < most <= BACKGROUND.expected(least - 0.002, pictures)


def test_every_region_of_an_instance_is_in_its_image() -> None:
    vectors, images, boxes, _ = gallery()
    instances = instances_of(vectors, images, boxes)
    assert (np.diff(instances.regions) > 0).all()
    assert np.array_equal(images[instances.regions], instances.images[instances.of_regions])
    own = instances.of_regions[np.searchsorted(instances.regions, instances.rows)]
    assert np.array_equal(own, np.arange(len(instances.images)))


def corrected(instances: ObjectInstances, corrections: list[Correction]) -> Numbers:
    return group_instances(instances, LIKENESS, resolve(corrections)[0])


def test_appended_regions_are_in_no_group_until_a_correction_says_so() -> None:
    vectors, images, boxes, shown = gallery()
    instances = instances_of(vectors, images, boxes)
    count, last = len(instances.images), len(shown) - 1
    more = with_regions(instances, [last, last - 1], [last * REGIONS, (last - 1) * REGIONS])
    before = group_instances(instances)
    assert np.array_equal(group_instances(more), [*before, -1, -1])
    groups = corrected(more, [Correction((count, count + 1))])
    assert np.array_equal(groups, [*before, OBJECTS, OBJECTS])  # the smallest group has the last number
    first = int(np.flatnonzero(before == 0)[0])
    groups = corrected(more, [Correction((first, count))])
    assert groups[count] == groups[first] == 0 and typical(more, groups)[count] == 0


def test_two_pictures_are_a_group_only_if_corrections_leave_both_in_it() -> None:
    vectors, images, boxes, _ = gallery()
    instances = instances_of(vectors, images, boxes)
    before = group_instances(instances)
    members = np.flatnonzero(before == 0).tolist()
    taken, rest = tuple(members[:-2]), tuple(members[-2:])
    groups = corrected(instances, [Correction((), taken, rest)])
    assert groups[rest[0]] == groups[rest[1]] == OBJECTS
    groups = corrected(instances, [Correction((), taken, rest[:1]), Correction((), taken, rest[1:])])
    assert groups[rest[0]] == groups[rest[1]] >= 0
    groups = corrected(instances, [Correction((), rest, taken)])
    assert groups[rest[0]] == groups[rest[1]] == -1
