"""Candidates are matched by keypoints, mirrored ones too, and compared by appearance."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from retrieval.ranking import matching
from retrieval.ranking.appearance import JOINING, USUAL_LIKENESS
from retrieval.ranking.keypoints import find_keypoints, mirror_keypoints
from retrieval.ranking.matching import (
    Match,
    Matcher,
    alike,
    appearance_scores,
    certainties,
    view_of,
)
from retrieval.ranking.verification import Evidence
from retrieval.types import Image


def blocks(seed: int, width: int, height: int) -> Image:
    """An image with very many corners."""
    colours = np.random.default_rng(seed).integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    return colours.repeat(16, axis=0).repeat(16, axis=1)


CROP = blocks(1, 240, 208)


def showing(shown: Image, seed: int = 50) -> Image:
    picture = blocks(seed, 640, 480)
    picture[120 : 120 + shown.shape[0], 200 : 200 + shown.shape[1]] = shown
    return picture


PICTURES = {
    0: showing(CROP),
    1: showing(np.ascontiguousarray(CROP[:, ::-1])),
    2: blocks(7, 640, 480),
    3: showing(CROP[..., ::-1].copy()),
}
"""The crop, mirrored, absent, and in other colours."""


class Pictures:
    """The part of a gallery that matching reads."""

    def keypoints(self, image):
        return find_keypoints(PICTURES[image]), (640, 480)

    def pixels(self, image):
        return PICTURES[image][::2, ::2]


def matcher(*views: Image, by_appearance: bool = True) -> Matcher:
    return Matcher(list(map(view_of, views or (CROP,))), Pictures(), by_appearance)


@pytest.fixture(scope="module")
def matches():
    return matcher().match(range(4), mirrored=4)


def test_keypoints_of_the_mirrored_image_are_those_of_the_mirrored_crop():
    image = blocks(3, 320, 240)
    made, found = mirror_keypoints(find_keypoints(image), 320), find_keypoints(np.ascontiguousarray(image[:, ::-1]))
    near = np.linalg.norm(made.points[:, None] - found.points[None], axis=2) < 1
    apart = np.linalg.norm(made.descriptors[:, None].astype(float) - found.descriptors[None], axis=2)
    assert near.any(axis=1).mean() > 0.8
    assert np.median(np.where(near, apart, np.inf).min(axis=1)) < 60  # of 360 for descriptors of different places


def test_the_object_is_matched_and_its_mirror_image_too(matches):
    assert list(matches) == [0, 1, 3]
    for image in matches:
        assert matches[image].evidence.box.xywh == pytest.approx((200, 120, 240, 208), abs=6)
        assert matches[image].evidence.cover > 0.3


def test_the_homography_of_a_mirror_image_is_that_of_the_crop_itself(matches):
    left = matches[1].evidence.homography @ (0, 0.5, 1)
    right = matches[1].evidence.homography @ (1, 0.5, 1)
    assert left[0] / left[2] == pytest.approx(440 / 640, abs=0.02)
    assert right[0] / right[2] == pytest.approx(200 / 640, abs=0.02)


def test_the_mirror_image_is_not_looked_for_among_enough_matches(monkeypatch):
    monkeypatch.setattr(matching, "FEW", 2)
    assert list(matcher().match(range(4), mirrored=4)) == [0, 3]


def test_without_mirroring_the_mirror_image_is_not_matched():
    assert list(matcher().match([1])) == []


def test_the_view_with_the_most_inliers_is_compared(matches):
    (match,) = matcher(blocks(9, 96, 96), CROP).match([0]).values()
    assert match.view == 1 and match.evidence == matches[0].evidence


def test_the_same_colours_are_more_alike_than_others(matches):
    assert matches[0].likeness > matches[3].likeness + 2
    assert matches[1].likeness == pytest.approx(matches[0].likeness, abs=0.5)


def test_without_a_thumbnail_nothing_is_compared(matches, monkeypatch):
    monkeypatch.setattr(Pictures, "pixels", lambda self, image: np.zeros((0, 0, 3), np.uint8))
    found = matcher().match(range(4), mirrored=4)
    assert found.keys() == matches.keys() and all(match.likeness is None for match in found.values())


def test_appearance_is_only_compared_if_it_is_wanted():
    assert matcher(by_appearance=False).match([0])[0].likeness is None


@pytest.mark.parametrize("threads", [1, 3])
def test_matches_are_the_same_for_any_number_of_threads(matches, threads, monkeypatch):
    with ThreadPoolExecutor(threads) as pool:
        monkeypatch.setattr(matching, "search_threads", lambda: pool)
        assert matcher().match(range(4), mirrored=4) == matches


def test_keypoints_are_read_once_for_several_views(monkeypatch):
    asked = []
    read = Pictures.keypoints
    monkeypatch.setattr(Pictures, "keypoints", lambda self, image: asked.append(image) or read(self, image))
    assert matcher(CROP, blocks(9, 96, 96)).match([0, 2]).keys() == {0} and asked == [0, 2]


def test_batches_end_with_the_first_without_a_match(monkeypatch):
    monkeypatch.setattr(matching, "BATCH", 1)
    assert matcher().match_in_batches([3, 0, 2, 1, 0]).keys() == {3, 0}


def test_images_much_less_alike_than_the_best_do_not_expand_the_query():
    likenesses = {1: 1.0, 2: 2.0, 3: 9.0, 4: 2.2, 5: 2.1, 6: 2.0 - JOINING - 0.01}
    matches = {image: Match(Evidence(20, None), 0, likeness) for image, likeness in likenesses.items()}
    assert alike(matches) == [3, 4, 5, 2]
    scores = appearance_scores(matches)
    assert sorted(scores, key=lambda image: -scores[image]) == [3, 4, 5, 2, 6, 1]


def test_a_match_is_certain_with_many_inliers_and_the_right_look():
    counts = {1: (20, 5.0), 2: (8, 5.0), 3: (20, 0.0), 4: (20, None)}
    matches = {image: Match(Evidence(inliers, None), 0, look) for image, (inliers, look) in counts.items()}
    assert certainties(matches) == pytest.approx({1: 1, 2: 0.3, 3: 1, 4: 1})  # with few matches all are alike
    matches |= {image: Match(Evidence(20, None), 0, 5.0) for image in range(5, 9)}
    assert certainties(matches)[3] == 0


def test_matches_without_a_likeness_expand_the_query_and_have_no_score():
    matches = {image: Match(Evidence(20, None), 0) for image in (4, 2)}
    assert alike(matches) == [4, 2] and appearance_scores(matches) == {4: 0, 2: 0}
    assert alike({}) == [] and appearance_scores({}) == {} and USUAL_LIKENESS > 0


def test_a_candidate_is_matched_with_what_a_match_shows_and_compared_with_the_crop(matches, monkeypatch):
    """Picture 4 is the source, moved."""
    monkeypatch.setitem(PICTURES, 4, np.roll(showing(CROP), (-100, -150), axis=(0, 1)))
    found = matcher().match_through({0: matches[0]}, [2, 4])
    assert found.keys() == {4} and found[4].view == matches[0].view
    corners = found[4].evidence.homography @ np.array([[0, 1], [0, 1], [1, 1]])
    places = corners[:2] / corners[2] * np.array([[640], [480]])
    assert pytest.approx(np.array([(50, 20), (290, 228)]), abs=6) == places.T
    assert found[4].evidence.places.min() >= 0 and found[4].evidence.places.max() <= 1
    likeness = {n: match.likeness for n, match in matcher().match_through({0: matches[0]}, [3, 4]).items()}
    assert likeness[4] > USUAL_LIKENESS and likeness[3] < likeness[4] - 2  # picture 3 has other colours


def test_sources_with_unknown_places_find_candidates_that_are_not_compared(matches):
    source = Match(Evidence(20, matches[0].evidence.box), 0)
    found = matcher().match_through({0: source}, [3])
    assert found.keys() == {3} and found[3].likeness is None
    assert matcher().match_through({}, [3]) == {}
