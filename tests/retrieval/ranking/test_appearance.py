"""Aligned candidates are told apart by colours and structure; light, blur and small shifts are forgiven."""

import cv2
import numpy as np
import pytest

from retrieval.ranking.appearance import (
    COLOUR_WEIGHT,
    HIGHEST,
    LOWEST,
    USUAL_LIKENESS,
    Agreement,
    alike_share,
    appearance_score,
    colour_score,
    colour_shares,
    compare,
    level_of,
    likeness,
    query_frame,
)
from retrieval.ranking.verification import Evidence
from retrieval.types import Image

WIDTH, HEIGHT = 240, 320
PLACES = np.array([[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]], np.float32)
"""Where keypoints agree: most of the crop."""


def pack(colour=(200, 60, 60), label="LEMON") -> Image:
    """A pack with a brand, a picture and a label."""
    drawn = np.full((HEIGHT, WIDTH, 3), 235, np.uint8)
    cv2.rectangle(drawn, (0, 0), (WIDTH, 90), colour, -1)
    cv2.putText(drawn, "BRAND", (20, 65), cv2.FONT_HERSHEY_SIMPLEX, 1.8, (255, 255, 255), 6)
    cv2.circle(drawn, (120, 165), 50, colour, -1)
    cv2.circle(drawn, (100, 150), 18, (30, 90, 40), -1)
    cv2.rectangle(drawn, (20, 240), (220, 300), (250, 250, 250), -1)
    cv2.putText(drawn, label, (30, 285), cv2.FONT_HERSHEY_SIMPLEX, 1.4, (20, 20, 20), 5)
    drawn.setflags(write=False)
    return drawn


def photo(shown: Image, corners=((40, 30), (210, 50), (200, 290), (30, 270))) -> tuple[Image, np.ndarray]:
    """A thumbnail with the pack at these corners, and the homography from the pack to it, in shares."""
    height, width = shown.shape[:2]
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    mapping = cv2.getPerspectiveTransform(flat, np.array(corners, np.float32))
    ground = np.random.default_rng(5).integers(60, 140, (32, 24, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    picture = cv2.warpPerspective(shown, mapping, (240, 320), dst=ground, borderMode=cv2.BORDER_TRANSPARENT)
    return picture, np.diag([1 / 240, 1 / 320, 1]) @ mapping @ np.diag([width, height, 1.0])


def compared(query: Image, candidate: tuple[Image, np.ndarray]) -> float:
    return likeness(compare(query_frame(query), *candidate, PLACES), Evidence(20, None, cover=0.5))


def changed(candidate: tuple[Image, np.ndarray], change) -> tuple[Image, np.ndarray]:
    return np.clip(change(candidate[0].astype(np.float32)), 0, 255).astype(np.uint8), candidate[1]


def shadow_across(picture):
    return picture * np.linspace(1, 0.6, picture.shape[1])[None, :, None]


FORGIVEN = {
    "darker": lambda picture: picture * 0.7,
    "brighter": lambda picture: picture * 1.1 + 10,
    "warm light": lambda picture: picture * (1.0, 0.93, 0.8),
    "shadow": shadow_across,
    "noise": lambda picture: picture + np.random.default_rng(0).normal(0, 6, picture.shape),
    "blur": lambda picture: cv2.GaussianBlur(picture, (0, 0), 2),
}


@pytest.mark.parametrize("change", FORGIVEN.values(), ids=FORGIVEN.keys())
def test_light_noise_and_blur_are_forgiven_and_another_variety_is_not(change):
    query = pack()
    same = compared(query, changed(photo(query), change))
    for other in (pack(colour=(60, 60, 200)), pack(colour=(40, 150, 60)), pack(label="COCOA")):
        assert same > compared(query, changed(photo(other), change)) + 0.05


def test_the_object_partly_hidden_looks_more_like_it_than_another_colour():
    query = pack()
    picture, homography = photo(query)
    hidden = picture.copy()
    hidden[180:, :110] = (180, 140, 110)
    assert compared(query, (hidden, homography)) > compared(query, photo(pack(colour=(60, 60, 200)))) + 0.3


def test_an_object_that_is_bent_looks_more_like_it_than_another_colour():
    query = pack()
    picture, homography = photo(query)
    down, across = np.mgrid[:320, :240].astype(np.float32)
    bent = cv2.remap(picture, across + 3 * np.sin(down / 25), down, cv2.INTER_LINEAR)
    assert compared(query, (bent, homography)) > compared(query, photo(pack(colour=(60, 60, 200)))) + 0.3


def test_a_small_object_is_compared_at_its_own_resolution():
    query = pack()
    small = ((100, 120), (142, 122), (141, 178), (99, 176))
    same, other = (compared(query, photo(shown, small)) for shown in (query, pack(colour=(60, 60, 200))))
    assert same > other + 0.3 and same > 1


def test_the_object_seen_beyond_the_edge_is_compared_where_it_is_visible():
    query = pack()
    outside = ((120, 30), (300, 40), (300, 290), (110, 280))
    assert compared(query, photo(query, outside)) > compared(query, photo(pack(colour=(60, 60, 200)), outside)) + 0.3


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_flat_crops_give_finite_figures(colour):
    flat = np.full((40, 30, 3), colour, np.uint8)
    for query, candidate in ((flat, pack()), (pack(), flat), (flat, flat)):
        agreement = compare(query_frame(query), candidate, np.eye(3), PLACES)
        assert np.isfinite([agreement.structure, agreement.colour, agreement.distance]).all()


@pytest.mark.parametrize("shape", [(8, 8), (8, 4000), (4000, 8)])
@pytest.mark.parametrize("size", [(1, 320), (320, 1), (2, 2), (240, 320)])
@pytest.mark.parametrize("factor", [0.05, 1, 30])
def test_extreme_shapes_give_finite_figures(shape, size, factor):
    rng = np.random.default_rng(0)
    crop, candidate = (rng.integers(0, 256, (*sides, 3), dtype=np.uint8) for sides in (shape, size))
    agreement = compare(query_frame(crop), candidate, np.diag([factor, factor, 1.0]), 1.2 * PLACES - 0.1)
    assert np.isfinite([agreement.structure, agreement.colour, agreement.distance]).all()


def test_nothing_visible_gives_finite_figures():
    beside = np.array([[1, 0, 5], [0, 1, 5], [0, 0, 1.0]])
    agreement = compare(query_frame(pack()), pack(), beside, PLACES)
    assert agreement == Agreement(0, 0, 0)


def test_the_same_pixels_agree_completely():
    agreement = compare(query_frame(pack()), pack(), np.eye(3), PLACES)
    assert agreement.structure > 0.7 and agreement.colour > 0.9 and agreement.distance < 3


def test_comparing_is_deterministic_and_leaves_its_input_alone():
    frame, (picture, homography) = query_frame(pack()), photo(pack())
    for array in (frame, picture, homography):
        array.setflags(write=False)
    assert compare(frame, picture, homography, PLACES) == compare(frame, picture, homography, PLACES)


def test_more_inliers_and_more_cover_make_a_candidate_more_alike():
    agreement = Agreement(0.5, 0.7, 8)
    one, many = likeness(agreement, Evidence(33, None, cover=0.4)), likeness(agreement, Evidence(64, None, cover=0.4))
    assert many > one + 0.5
    assert likeness(agreement, Evidence(33, None, cover=0.6)) > one + 0.2


def test_the_level_is_the_fourth_highest_likeness_up_to_the_usual_one():
    assert level_of([]) == level_of([9.0] * 5) == USUAL_LIKENESS
    assert level_of([9, 1, 2, 0.5, -3]) == 0.5
    assert level_of([1, -2]) == -2


def test_the_appearance_score_rises_with_the_likeness_within_limits():
    scores = [appearance_score(value, 1.0) for value in np.linspace(-9, 9, 50)]
    assert scores == sorted(scores) and scores[0] == scores[1] == 0 and scores[-2] == scores[-1]
    assert appearance_score(1.0 - LOWEST, 1.0) == 0 < appearance_score(1.0, 1.0) < appearance_score(1 + HIGHEST, 1.0)


def test_what_is_less_alike_than_the_level_by_one_is_not_alike():
    assert [alike_share(likeness, 2.0) for likeness in (0, 1, 1.5, 2, 5)] == [0, 0, 0.5, 1, 1]


def test_colours_of_a_part_that_lies_a_little_elsewhere_agree() -> None:
    tiles = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    bent = tiles.copy()
    bent[:, 64:] = np.roll(tiles, 4, axis=1)[:, 64:]
    agreement = compare(query_frame(tiles), bent, np.eye(3), PLACES)
    assert agreement.colour > 0.95 and agreement.distance < 2


def test_colours_are_counted_whatever_the_light():
    shares = colour_shares(pack())
    assert shares.shape == (8, 8) and shares.sum() == pytest.approx(1)
    darker = (pack() * 0.7).astype(np.uint8)
    same, other = colour_score(shares, colour_shares(darker)), colour_score(shares, colour_shares(pack((60, 60, 200))))
    assert colour_score(shares, shares) == pytest.approx(COLOUR_WEIGHT) and COLOUR_WEIGHT >= same > other > 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 2)])
def test_colours_of_tiny_regions(shape):
    shares = colour_shares(np.full((*shape, 3), (250, 10, 10), np.uint8))
    assert shares.max() == pytest.approx(1) and colour_score(shares, colour_shares(pack((10, 10, 250)))) < 0.1
