"""Salient objects are proposed, generous boxes shrink to their object, and all boxes lie in the image."""

import threading

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.regions.grabcut import fit_box
from retrieval.regions.proposals import propose_regions, suggest_boxes
from retrieval.types import Box

COLOURS = {"red": (200, 40, 30), "blue": (30, 60, 190), "dark": (25, 25, 30)}
PLACES = [Box(210, 150, 370, 300), Box(60, 120, 220, 220), Box(380, 90, 480, 330)]


def ground(width=640, height=480, seed=0):
    """A wall with a little grain, (height, width, 3)."""
    grain = np.random.default_rng(seed).normal(0, 6, (height // 4, width // 4, 1))
    return np.clip(cv2.resize(grain, (width, height))[..., None] + (150, 155, 140), 0, 255).astype(np.uint8)


def picture(*things, width=640, height=480):
    """A wall with an ellipse of a colour in each of the boxes."""
    drawn = ground(width, height)
    for colour, box in things:
        centre, axes = ((box.x0 + box.x1) // 2, (box.y0 + box.y1) // 2), (box.width // 2, box.height // 2)
        cv2.ellipse(drawn, centre, axes, 0, 0, 360, COLOURS[colour], -1)
    drawn.setflags(write=False)
    return drawn


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def iou(a, b):
    shared = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1))
    common = max(shared.width, 0) * max(shared.height, 0)
    return common / (a.width * a.height + b.width * b.height - common)


def holds(outer, inner):
    return outer.x0 <= inner.x0 and outer.y0 <= inner.y0 and inner.x1 <= outer.x1 and inner.y1 <= outer.y1


@pytest.mark.parametrize("place", [*PLACES, Box(20, 20, 120, 120), Box(480, 330, 600, 440)])
@pytest.mark.parametrize("colour", COLOURS)
def test_single_object_is_suggested_first(place, colour):
    assert iou(suggest_boxes(picture((colour, place)))[0], place) > 0.55


@pytest.mark.parametrize("second", [Box(400, 80, 560, 220), Box(360, 250, 560, 400)])
def test_two_objects_are_both_suggested(second):
    things = Box(100, 90, 260, 250), second
    found = suggest_boxes(picture(("red", things[0]), ("blue", second)))
    assert all(max(iou(box, thing) for box in found) > 0.6 for thing in things)


def test_uniform_image_has_no_suggestion():
    assert suggest_boxes(np.full((300, 400, 3), 90, np.uint8)) == []


def test_fewer_suggestions_are_a_prefix_of_more():
    image = noise(300, 400)
    six = suggest_boxes(image)
    assert len(six) == 6
    assert [suggest_boxes(image, count) for count in (0, 1, 4)] == [[], six[:1], six[:4]]


def test_suggestions_scale_with_the_image():
    image = picture(("red", PLACES[0]))
    large = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    first, larger = suggest_boxes(image)[0], suggest_boxes(large)[0]
    assert iou(Box(*(4 * side for side in (first.x0, first.y0, first.x1, first.y1))), larger) > 0.8


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 9))
def test_suggestions_lie_in_any_image_and_differ(width, height, seed):
    image = noise(height, width, seed)
    found = suggest_boxes(image)
    for n, box in enumerate(found):
        assert holds(Box.whole(image), box) and box != Box.whole(image)
        assert box.width >= max(SMALLEST_BOX, 0.05 * width) and box.height >= max(SMALLEST_BOX, 0.05 * height)
        assert all(iou(box, other) < 0.4 for other in found[:n])
    if min(width, height) >= 64 and max(width, height) < 4 * min(width, height):
        assert len(found) == 6


@pytest.mark.parametrize("place", PLACES)
def test_contour_box_fits_closer_than_a_window(place):
    image = picture(("red", place))
    assert iou(propose_regions(image)[0].box, place) > max(0.84, max(iou(box, place) for box in suggest_boxes(image)))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 9))
def test_proposals_lie_in_any_image_and_differ(width, height, seed):
    image = noise(height, width, seed)
    found = propose_regions(image)
    assert len(found) <= 10 and found == propose_regions(image)
    for n, region in enumerate(found):
        assert holds(Box.whole(image), region.box) and region.box != Box.whole(image)
        assert min(region.box.width, region.box.height) >= SMALLEST_BOX and region.kind == "proposals"
        assert all(iou(region.box, other.box) < 0.4 for other in found[:n])
    assert [region.score for region in found[:1]] in ([], [1.0])


def test_uniform_image_has_no_proposal():
    assert propose_regions(np.full((300, 400, 3), 90, np.uint8)) == []


def drawn_round(box, share, width=640, height=480):
    dx, dy = round(box.width * share), round(box.height * share)
    return Box(box.x0 - dx, box.y0 - dy, box.x1 + dx, box.y1 + dy).clipped(width, height)


@pytest.mark.parametrize("share", [0.1, 0.25])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("colour", COLOURS)
def test_generous_box_shrinks_to_its_object(place, colour, share):
    given_box = drawn_round(place, share)
    assert iou(given_box, place) < 0.75
    assert iou(fit_box(picture((colour, place)), given_box), place) > 0.9


def test_box_fits_its_object_and_not_a_neighbour():
    beside = Box(420, 170, 520, 270)
    image = picture(("red", PLACES[0]), ("blue", beside))
    assert iou(fit_box(image, Box(180, 120, 430, 330)), PLACES[0]) > 0.85


def test_fitted_box_of_a_large_image_is_in_its_pixels():
    place = Box(2000, 1400, 2600, 1900)
    box = drawn_round(place, 0.2, 4000, 3000)
    assert iou(fit_box(picture(("blue", place), width=4000, height=3000), box), place) > 0.9


def test_box_without_an_object_is_unchanged():
    flat, image = np.full((300, 400, 3), 90, np.uint8), picture(("red", PLACES[0]))
    assert fit_box(flat, Box(50, 60, 200, 220)) == Box(50, 60, 200, 220)
    assert fit_box(image, Box.whole(image)) == Box.whole(image)
    assert fit_box(image, Box(300, 200, 307, 260)) == Box(300, 200, 307, 260)
    assert fit_box(image, Box(-10, -10, 5, 5)) == Box(0, 0, 5, 5)
    tiny = noise(9, 9)
    assert fit_box(tiny, Box(0, 0, 8, 8)) == Box(0, 0, 8, 8)


def test_box_is_unchanged_when_grabcut_fails(monkeypatch):
    def fail(*_):
        raise cv2.error("no clusters")

    image, box = picture(("red", PLACES[0])), drawn_round(PLACES[0], 0.2)
    assert fit_box(image, box) != box
    monkeypatch.setattr(cv2, "grabCut", fail)
    assert fit_box(image, box) == box


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_fitted_box_lies_in_any_drawn_box_and_contains_its_centre(data):
    width, height = data.draw(st.integers(8, 300)), data.draw(st.integers(8, 300))
    image = noise(height // 7 + 1, width // 7 + 1, data.draw(st.integers(0, 9)))
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    x0, x1 = sorted(data.draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(data.draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True)))
    box = Box(x0, y0, x1, y1)
    snapped = fit_box(image, box)
    assert holds(box, snapped)
    assert snapped == box or min(snapped.width, snapped.height) >= SMALLEST_BOX
    assert holds(
        snapped.grown(1.1), Box((3 * x0 + x1) // 4 + 2, (3 * y0 + y1) // 4 + 2, (x0 + x1) // 2, (y0 + y1) // 2)
    )


def test_results_do_not_depend_on_earlier_calls():
    # without an object, the result depends on GrabCut's initial clusters
    image = cv2.resize(noise(8, 12, 4), (600, 400), interpolation=cv2.INTER_CUBIC)
    box = Box(100, 80, 420, 330)
    first, suggested, elsewhere = fit_box(image, box), suggest_boxes(image), []
    assert first != box
    for seed in range(5):
        cv2.setRNGSeed(seed)
        fit_box(image, Box(10, 10, 200 + seed, 300))
        assert fit_box(image, box) == first and suggest_boxes(image) == suggested
    visitor = threading.Thread(target=lambda: elsewhere.append(fit_box(image, box)))
    visitor.start()
    visitor.join()
    assert elsewhere == [first]


def test_image_is_not_modified():
    image = picture(("red", PLACES[0]))
    assert not image.flags.writeable
    suggest_boxes(image)
    fit_box(image, drawn_round(PLACES[0], 0.2))
