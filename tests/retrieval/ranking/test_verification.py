"""Keypoints in a consistent arrangement are verified; others are not."""

import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.ranking import verification as module
from retrieval.ranking.keypoints import LIMIT, Keypoints, find_keypoints, query_keypoints
from retrieval.ranking.verification import (
    MIN_INLIERS,
    NO_EVIDENCE,
    Evidence,
    matched_details,
    verification_score,
    verify,
    verify_all,
)
from retrieval.types import Box
from tests.descriptors import as_descriptors, made_descriptors

SIZE = 640, 480
PLACE = Box(200, 120, 440, 330)


def texture(seed, width=240, height=210):
    """A card of coloured rectangles and blobs, (height, width, 3), read-only."""
    rng = np.random.default_rng(seed)
    drawn = np.full((height, width, 3), rng.integers(60, 200, 3), np.uint8)
    for _ in range(90):
        x, y, w, h = rng.integers((0, 0, 5, 5), (width, height, 45, 45)).tolist()
        colour = rng.integers(0, 256, 3).tolist()
        if rng.random() < 0.5:
            cv2.rectangle(drawn, (x, y), (x + w, y + h), colour, -1)
        else:
            cv2.circle(drawn, (x, y), w // 2, colour, -1)
    drawn.setflags(write=False)
    return drawn


def scene(card, corners, seed=99):
    """An image of SIZE with the card warped to four corners (clockwise from top left)."""
    height, width = card.shape[:2]
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    mapping = cv2.getPerspectiveTransform(flat - 0.5, np.array(corners, np.float32) - 0.5)
    laid = cv2.warpPerspective(card, mapping, SIZE, flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(np.full((height, width), 255, np.uint8), mapping, SIZE, flags=cv2.INTER_NEAREST)
    picture = np.where(mask[:, :, None] > 0, laid, texture(seed, *SIZE))
    picture.setflags(write=False)
    return picture


def around(corners):
    x, y = np.array(corners).T
    return Box(round(x.min()), round(y.min()), round(x.max()), round(y.max())).clipped(*SIZE)


def turned(degrees, factor, centre=(320, 240), width=240, height=210):
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * factor
    half = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    return half @ turn.T + centre


def iou(a, b):
    shared = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1))
    common = max(shared.width, 0) * max(shared.height, 0)
    return common / (a.width * a.height + b.width * b.height - common)


def size_of(image):
    return image.shape[1], image.shape[0]


def compared(query, candidate):
    return verify(*query_keypoints(query), find_keypoints(candidate), size_of(candidate))


def made(points, seed=0):
    """Keypoints at these points, with distinct descriptors."""
    descriptors = made_descriptors(np.random.default_rng(seed), len(points))
    return Keypoints(np.array(points, np.float32).reshape(-1, 2), descriptors)


CARD = texture(1)
LAYINGS = {
    "upright": turned(0, 1),
    "turned": turned(35, 1),
    "head down": turned(180, 0.8),
    "smaller": turned(-20, 0.45, (150, 330)),
    "larger": turned(10, 1.7),
    "in perspective": [[180, 100], [450, 150], [430, 360], [190, 390]],
    "half outside": turned(15, 1.2, (560, 200)),
}


@pytest.mark.parametrize("corners", LAYINGS.values(), ids=LAYINGS.keys())
def test_card_is_found_in_any_pose(corners):
    evidence = compared(CARD, scene(CARD, corners))
    assert evidence.inliers >= 3 * MIN_INLIERS
    assert iou(evidence.box, around(corners)) > 0.9


@pytest.mark.parametrize("seed", range(2, 6))
def test_other_card_is_not_found(seed):
    assert compared(CARD, scene(texture(seed), LAYINGS["turned"], seed + 50)) == NO_EVIDENCE


def test_mirrored_points_are_rejected():
    points = np.random.default_rng(3).uniform(0, 300, (40, 2))
    mirrored = points * (-1, 1) + (300, 0)
    query = made(points)
    assert verify(query, (300, 300), made(points), (300, 300)) == Evidence(40, Box(0, 0, 300, 300))
    assert verify(query, (300, 300), made(mirrored), (300, 300)) == NO_EVIDENCE


@pytest.mark.parametrize(("factor", "found"), [(1, True), (0.12, True), (0.05, False)])
def test_outline_of_implausible_size_is_rejected(factor, found):
    points = np.random.default_rng(3).uniform(0, 300, (60, 2))
    evidence = verify(made(points), (300, 300), made(points * factor + 100), (500, 500))
    assert (evidence != NO_EVIDENCE) == found


def test_homography_with_a_horizon_in_the_query_is_rejected():
    points = np.random.default_rng(4).uniform((10, 10), (390, 150), (60, 2)).astype(np.float32)
    for vanishing, found in ((0.0, True), (-0.004, False)):  # depth 0 at y = 250, inside a query 400 high
        mapping = np.array([[1, 0, 100], [0, 1, 100], [0, vanishing, 1]])
        seen = cv2.perspectiveTransform(points[None], mapping)[0]
        assert (verify(made(points), (400, 400), made(seen), (640, 640)) != NO_EVIDENCE) == found


def test_outline_outside_the_candidate_is_rejected():
    points = np.random.default_rng(5).uniform(0, 300, (40, 2))
    assert verify(made(points), (300, 300), made(points + 700), (640, 640)) == NO_EVIDENCE


def test_each_position_counts_once():
    rng = np.random.default_rng(6)
    points = rng.uniform(0, 300, (12, 2))
    apart = verify(made(points), (300, 300), made(points), (300, 300))
    twice = np.concatenate([points, points])  # two orientations each
    assert apart.inliers == verify(made(twice), (300, 300), made(twice), (300, 300)).inliers == 12


def test_matches_at_one_position_do_not_hide_the_others():
    points = np.random.default_rng(7).uniform(0, 300, (60, 2))
    one_place = points.copy()
    one_place[20:] = (150, 150)
    assert verify(made(points), (300, 300), made(np.full((60, 2), 150.0)), (300, 300)) == NO_EVIDENCE
    assert verify(made(points), (300, 300), made(one_place), (300, 300)).inliers in (20, 21)


@pytest.mark.parametrize("beside", [0, 1])
def test_collinear_points_are_rejected(beside):
    along = np.stack([np.linspace(10, 290, 30), np.linspace(50, 200, 30)], axis=1)
    points = np.concatenate([along, np.full((beside, 2), (60, 250))])
    assert verify(made(points), (300, 300), made(points), (300, 300)) == NO_EVIDENCE
    spread = np.concatenate([points, np.random.default_rng(12).uniform(0, 300, (15, 2))])
    assert verify(made(spread), (300, 300), made(spread), (300, 300)).inliers >= len(points)


def test_ambiguous_matches_fail_the_ratio_test():
    points = np.random.default_rng(13).uniform(0, 300, (40, 2))
    once = made(points)
    alike = once.descriptors + np.uint8(1)
    twice = Keypoints(np.concatenate([once.points, once.points + 320]), np.tile(alike, (2, 1)))
    assert verify(once, (300, 300), once, (640, 640)).inliers == 40
    assert verify(once, (300, 300), twice, (640, 640)) == NO_EVIDENCE


def test_best_of_several_matches_at_one_position_counts():
    rng = np.random.default_rng(14)
    right = made(rng.uniform(0, 300, (20, 2)))
    astray = rng.uniform(0, 300, (40, 2)).astype(np.float32)
    alike = as_descriptors(np.tile(right.descriptors, (2, 1)) + 10 * rng.random((40, 128)))
    query = Keypoints(np.concatenate([astray, right.points]), np.concatenate([alike, right.descriptors]))
    assert verify(query, (300, 300), right, (300, 300)).inliers == 20


@pytest.mark.parametrize(
    ("mapping", "points", "found"),
    [
        (np.eye(3), "anywhere", True),
        (np.array([[-1.0, 0, 400], [0, 1, 0], [0, 0, 1]]), "anywhere", False),
        (np.full((3, 3), np.nan), "anywhere", False),
        (np.full((3, 3), np.inf), "anywhere", False),
        (np.array([[1.0, 0, 0], [1.0, 0, 0], [0, 0, 1]]), "anywhere", False),
        (np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, 0]]), "anywhere", False),
        (None, "anywhere", False),
        (np.eye(3), "on a line", False),
        (np.eye(3), "on a line but one", False),
        (np.eye(3), "on a line but two", True),
    ],
)
def test_implausible_homographies_are_rejected(mapping, points, found, monkeypatch):
    """MAGSAC rejects most of these itself; here it is made to return them."""
    monkeypatch.setattr(cv2, "findHomography", lambda source, *_: (mapping, np.ones((len(source), 1), np.uint8)))
    places = np.random.default_rng(15).uniform(0, 300, (30, 2))
    off = {"anywhere": 30, "on a line": 0, "on a line but one": 1, "on a line but two": 2}[points]
    places[off:] = np.linspace((5, 20), (295, 165), 30)[off:]
    # 300 : 480 is as the standard sides of query and candidate are, so both are scaled alike
    evidence = verify(made(places), (300, 300), made(places), (480, 480))
    assert evidence == (Evidence(30, Box(0, 0, 300, 300)) if found else NO_EVIDENCE)


@pytest.mark.parametrize("agreeing", [MIN_INLIERS - 1, MIN_INLIERS])
def test_minimum_number_of_inliers(agreeing):
    points = np.array([(10, 10), (290, 20), (280, 280), (20, 260), (150, 60), (90, 170)][:agreeing])
    evidence = verify(made(points), (300, 300), made(points), (300, 300))
    assert evidence.inliers == (agreeing if agreeing >= MIN_INLIERS else 0)


@pytest.mark.parametrize("shape", [(8, 8), (1, 1), (1, 700), (300, 2), (200, 300)])
def test_image_without_texture_has_no_keypoints(shape):
    flat = np.full((*shape, 3), 127, np.uint8)
    found = find_keypoints(flat)
    assert len(found) == 0 and found.points.shape == (0, 2) and found.descriptors.shape == (0, 128)
    assert compared(flat, scene(CARD, LAYINGS["upright"])) == compared(CARD, flat) == NO_EVIDENCE


@pytest.mark.parametrize("shape", [(8, 8), (1, 1), (2, 3), (1, 700), (700, 1), (5, 900)])
def test_tiny_and_thin_images_are_valid(shape):
    noise = np.random.default_rng(8).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = find_keypoints(noise)
    assert len(found) == len(found.descriptors) <= LIMIT
    compared(noise, CARD)


@pytest.mark.parametrize(
    ("shape", "size"), [((336, 448), (448, 336)), ((630, 896), (448, 315)), ((8, 10), (40, 32)), ((1, 2000), (448, 1))]
)
def test_images_are_resized_but_enlarged_at_most_4_times(shape, size, monkeypatch):
    seen, resize = [], cv2.resize
    monkeypatch.setattr(cv2, "resize", lambda image, size, **how: seen.append(size) or resize(image, size, **how))
    find_keypoints(np.zeros((*shape, 3), np.uint8))
    assert seen == [size]


def test_the_strongest_keypoints_are_kept():
    cell = np.zeros((16, 16, 3), np.uint8)
    cell[5:10, 5:10] = 60
    weak = np.tile(cell, (30, 40, 1))  # equally strong keypoints: SIFT returns more than nfeatures
    weak[200:230, 300:330] = 0
    weak[208:222, 308:322] = 255
    found = find_keypoints(weak)
    assert len(found) == len(found.descriptors) == LIMIT
    assert np.abs(found.points - (315, 215)).max(axis=1).min() < 0.5


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_keypoint_is_at_the_position_of_its_blob(factor):
    spot = np.zeros((240, 320, 3), np.uint8)
    spot[100:110, 150:160] = 255  # its middle is (155, 105), edges counted from 0
    points = find_keypoints(np.kron(spot, np.ones((factor, factor, 1), np.uint8))).points
    assert points.mean(axis=0) == pytest.approx(np.array([155, 105]) * factor, abs=0.1 * factor / 2)


def test_descriptors_are_root_sift():
    descriptors = find_keypoints(CARD).descriptors.astype(float)
    assert np.linalg.norm(descriptors, axis=1) == pytest.approx(255, rel=0.01)
    assert (descriptors / 255).max() < 0.75  # plain SIFT clips a bin at 0.2 of its length 1: the root is far flatter


def test_verification_does_not_depend_on_earlier_calls():
    rng = np.random.default_rng(16)
    points = rng.uniform(0, 400, (120, 2))
    seen = points + rng.normal(0, 3, points.shape)
    seen[30:] = rng.uniform(0, 640, (90, 2))  # so hard that random sampling would show
    query, candidate, other = made(points), made(seen), made(points[:50])
    first = verify(query, (400, 400), candidate, (640, 640))
    assert first.inliers >= MIN_INLIERS
    for turn in range(100):
        if turn % 3 == 0:
            verify(other, (400, 400), candidate, (640, 640))
            cv2.setRNGSeed(turn)
        assert verify(query, (400, 400), candidate, (640, 640)) == first
    once, again = find_keypoints(CARD), find_keypoints(CARD)
    assert np.array_equal(once.points, again.points) and np.array_equal(once.descriptors, again.descriptors)


def test_verification_does_not_depend_on_resolution():
    candidate = scene(CARD, LAYINGS["turned"])
    plain = compared(CARD, candidate)
    enlarged = compared(CARD, cv2.resize(candidate, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC))
    assert np.array(enlarged.box.xywh) / 3 == pytest.approx(np.array(plain.box.xywh), abs=4)
    points = np.random.default_rng(10).uniform(0, 300, (40, 2))
    noisy = points + np.random.default_rng(11).normal(0, 1, points.shape)  # at the standard size
    small = verify(made(points), (300, 300), made(noisy), (640, 640))
    for factor in (0.25, 8.0):
        size = round(640 * factor), round(640 * factor)
        assert verify(made(points), (300, 300), made(noisy * factor), size).inliers == small.inliers
        larger = round(300 * factor), round(300 * factor)
        assert verify(made(points * factor), larger, made(noisy), (640, 640)) == small
    assert small.inliers == 40


@pytest.fixture
def use_threads(monkeypatch):
    """Searches share this number of threads."""
    pools = []

    def use(threads: int) -> None:
        pools.append(ThreadPoolExecutor(threads))
        monkeypatch.setattr(module, "THREADS", threads)
        monkeypatch.setattr(module, "search_threads", lambda: pools[-1])

    yield use
    for pool in pools:
        pool.shutdown()


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_r72_candidates_are_verified_in_order_until_the_keypoints_are_spent(threads, use_threads):
    use_threads(threads)
    query = query_keypoints(CARD)[0]
    shown, other = (find_keypoints(scene(card, LAYINGS["turned"])) for card in (CARD, texture(2)))
    candidates = {11: shown, 5: other, 7: shown, 8: shown}
    reads = []

    def read(candidate):
        reads.append(candidate)
        return candidates[candidate], SIZE

    def verified(pairs):
        reads.clear()
        return verify_all(query, size_of(CARD), list(candidates), read, pairs)

    first = verify(query, size_of(CARD), shown, SIZE)
    assert first.inliers >= MIN_INLIERS
    of_two = len(query) * (len(shown) + len(other))
    assert verified(of_two) == [first, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE] and reads == [11, 5]
    assert verified(of_two + 1) == [first, NO_EVIDENCE, first, NO_EVIDENCE] and reads == [11, 5, 7]
    assert verified(np.inf) == [first, NO_EVIDENCE, first, first] and reads == [11, 5, 7, 8]
    assert verified(0) == [NO_EVIDENCE] * 4 and reads == []
    assert verify_all(query, size_of(CARD), [], read, 1) == []


def test_no_candidate_is_read_for_a_query_without_keypoints():
    assert verify_all(*query_keypoints(np.zeros((50, 60, 3), np.uint8)), [1, 2], lambda candidate: 1 / 0, 9) == [
        NO_EVIDENCE,
        NO_EVIDENCE,
    ]


@functools.cache
def looks():
    """Keypoints and sizes of eight different candidates; every third contains the card."""
    cards = (CARD if n % 3 == 0 else texture(20 + n) for n in range(8))
    return [(find_keypoints(scene(card, turned(30 * n, 0.9), 60 + n)), SIZE) for n, card in enumerate(cards)]


@pytest.mark.parametrize("threads", [1, 2, 3, 8, 20])
def test_results_do_not_depend_on_the_number_of_threads(threads, use_threads):
    use_threads(threads)
    query, order = query_keypoints(CARD)[0], [5, 3, 0, 7, 1, 6, 2, 4] * 5
    alone = [verify(query, size_of(CARD), *look) for look in looks()]
    assert len(set(alone)) == 4  # three different matches and NO_EVIDENCE, so that swapped results are noticed
    assert verify_all(*query_keypoints(CARD), order, looks().__getitem__, np.inf) == [alone[n] for n in order]


def test_concurrent_searches_do_not_interfere(use_threads):
    use_threads(3)
    crops = [CARD, texture(21), texture(22), texture(24)]
    expected = [verify_all(*query_keypoints(crop), range(8), looks().__getitem__, np.inf) for crop in crops]
    answers = [None] * len(crops)

    def visit(n):
        answers[n] = verify_all(*query_keypoints(crops[n]), range(8), looks().__getitem__, np.inf)

    visitors = [threading.Thread(target=visit, args=(n,)) for n in range(len(crops))]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert answers == expected
    assert len({tuple(places) for places in expected}) == len(crops)


def test_candidates_are_verified_by_all_threads_at_once(use_threads, monkeypatch):
    use_threads(3)
    together = threading.Barrier(3, timeout=20)

    def inliers(*_):
        together.wait()  # a barrier for three threads
        asked.append(1)

    asked = []
    monkeypatch.setattr(module, "TOGETHER", 1)
    monkeypatch.setattr(module, "_inliers", inliers)
    assert verify_all(*query_keypoints(CARD), range(6), looks().__getitem__, np.inf) == [NO_EVIDENCE] * 6
    assert len(asked) == 6


def test_error_in_a_thread_is_raised(use_threads):
    use_threads(2)
    with pytest.raises(ZeroDivisionError):
        verify_all(
            *query_keypoints(CARD), range(3), lambda candidate: looks()[candidate] if candidate else 1 / 0, np.inf
        )


@pytest.mark.parametrize("corners", LAYINGS.values(), ids=LAYINGS.keys())
def test_matched_details_agree_with_the_pose(corners):
    candidate = find_keypoints(scene(CARD, corners))
    details = matched_details(CARD, candidate, SIZE)
    assert len(details.query) == len(details.candidate) == compared(CARD, scene(CARD, corners)).inliers
    flat = np.array([[0, 0], [240, 0], [240, 210], [0, 210]], np.float32)
    mapping = cv2.getPerspectiveTransform(flat, np.array(corners, np.float32))
    away = np.linalg.norm(cv2.perspectiveTransform(details.query[None], mapping)[0] - details.candidate, axis=1)
    assert away.max() < 8 and np.median(away) < 1
    assert len(np.unique(np.round(details.candidate), axis=0)) > len(away) * 0.95


@pytest.mark.parametrize("factor", [0.5, 2])
def test_matched_details_are_in_pixels_of_the_given_images(factor):
    candidate = scene(CARD, LAYINGS["upright"])
    crop = cv2.resize(CARD, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    details = matched_details(crop, find_keypoints(candidate), SIZE)
    corner = LAYINGS["upright"][0]
    assert details.query / factor + corner == pytest.approx(details.candidate, abs=8)
    larger = find_keypoints(cv2.resize(candidate, None, fx=2, fy=2))
    doubled = matched_details(crop, larger, (1280, 960))
    assert doubled.query / factor + corner == pytest.approx(doubled.candidate / 2, abs=8)
    assert min(len(details.query), len(doubled.query)) > 3 * MIN_INLIERS


def test_matched_details_of_a_mirror_image_are_in_pixels_of_the_crop():
    picture = scene(np.ascontiguousarray(CARD[:, ::-1]), LAYINGS["upright"])
    details = matched_details(CARD, find_keypoints(picture), SIZE)
    assert len(details.query) > 3 * MIN_INLIERS
    right, top = LAYINGS["upright"][1]
    expected = np.stack([right - details.query[:, 0], top + details.query[:, 1]], axis=1)
    assert np.median(np.linalg.norm(expected - details.candidate, axis=1)) < 1.5


def test_the_cover_is_the_share_of_textured_places_that_agree():
    whole = compared(CARD, scene(CARD, LAYINGS["upright"]))
    half = compared(CARD, scene(CARD, LAYINGS["half outside"]))
    assert 0.3 < half.cover < whole.cover - 0.1 and whole.cover <= 1


def test_the_homography_maps_the_corners_of_the_crop():
    evidence = compared(CARD, scene(CARD, LAYINGS["in perspective"]))
    corners = evidence.homography @ np.array([[0, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]])
    found = (corners[:2] / corners[2]).T * SIZE
    assert found == pytest.approx(np.array(LAYINGS["in perspective"], float), abs=4)
    assert evidence.places.min() >= 0 and evidence.places.max() <= 1 and len(evidence.places) == evidence.inliers


def test_no_matched_details_without_evidence():
    flat = np.full((50, 60, 3), 127, np.uint8)
    elsewhere = find_keypoints(scene(texture(3), LAYINGS["turned"], 52))
    for crop, candidate in ((CARD, elsewhere), (flat, elsewhere), (CARD, find_keypoints(flat))):
        details = matched_details(crop, candidate, SIZE)
        assert details.query.shape == details.candidate.shape == (0, 2)


def test_the_verification_score_rises_from_the_minimum_to_one():
    assert [verification_score(n) for n in (0, 4, 5, 6, 10, 15, 16, 500)] == [0, 0, 0, 0.1, 0.5, 1, 1, 1]
    verification_scores = [verification_score(n) for n in range(40)]
    assert verification_scores == sorted(verification_scores)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_box_lies_in_the_candidate_for_any_keypoints(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    width, height = data.draw(st.integers(1, 3000)), data.draw(st.integers(1, 3000))
    count = data.draw(st.integers(0, 40))
    spread = data.draw(st.sampled_from([0.0, 1.0, 100.0, 3000.0, 1e6]))
    points = rng.uniform(-spread / 4, spread, (count, 2)).astype(np.float32)
    shared = rng.integers(0, data.draw(st.sampled_from([1, 2, 40, 256])), (count, 128), dtype=np.uint8)
    mapping = np.eye(3) + rng.normal(0, data.draw(st.sampled_from([0.0, 1e-3, 0.5])), (3, 3)) * [1, 1, 100]
    seen = cv2.perspectiveTransform(points[None], mapping)[0] if count else points
    query_size = data.draw(st.integers(1, 3000)), data.draw(st.integers(1, 3000))
    evidence = verify(Keypoints(points, shared), query_size, Keypoints(seen, shared), (width, height))
    if evidence.box is None:
        assert evidence == NO_EVIDENCE
    else:
        box = evidence.box
        assert 0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height
        assert MIN_INLIERS <= evidence.inliers <= count
