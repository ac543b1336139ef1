"""Keypoints survive a round trip, and damaged bytes never raise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.storage.keypoint_codec import RECORD, pack_keypoints, unpack_keypoints
from retrieval.ranking.keypoints import Keypoints, find_keypoints
from retrieval.ranking.verification import verify

sides = st.integers(8, 30_000)


def random_keypoints(seed: int, count: int, width: int, height: int) -> Keypoints:
    rng = np.random.default_rng(seed)
    points = (rng.random((count, 2)) * [width, height]).astype(np.float32)
    return Keypoints(points, rng.integers(0, 256, (count, 128), dtype=np.uint8))


@given(st.integers(0, 10**6), st.integers(0, 60), sides, sides)
def test_keypoints_are_decoded_as_encoded(seed, count, width, height):
    keypoints = random_keypoints(seed, count, width, height)
    data = pack_keypoints(keypoints, width, height)
    assert len(data) == 132 * count
    read = unpack_keypoints(data, width, height)
    assert len(read) == count and np.array_equal(read.descriptors, keypoints.descriptors)
    assert (
        read.points.dtype == np.float32 and read.points.shape == (count, 2) and read.descriptors.shape == (count, 128)
    )
    assert np.all(np.abs(read.points - keypoints.points) <= np.array([width, height]) * 1e-5 + 4e-3)
    assert pack_keypoints(read, width, height) == data


def test_points_at_and_beyond_the_edge():
    points = np.array([[0, 0], [640, 480], [-3, 500]], np.float32)
    read = unpack_keypoints(pack_keypoints(Keypoints(points, np.zeros((3, 128), np.uint8)), 640, 480), 640, 480)
    assert read.points.tolist() == [[0, 0], [640, 480], [0, 480]]


@given(st.binary(max_size=700), sides, sides)
def test_any_bytes_decode_to_points_inside_the_image(data, width, height):
    read = unpack_keypoints(data, width, height)
    assert len(read) == len(data) // RECORD.itemsize
    assert np.all(read.points >= 0) and np.all(read.points <= [width * 1.0001, height * 1.0001])


@pytest.mark.parametrize(
    "damage", [lambda d: d[: len(d) // 2], lambda d: d[50:], lambda d: bytes(len(d)), lambda d: b"\xff" * len(d)]
)
def test_damaged_keypoints_never_match_and_never_raise(draw, damage):
    picture = draw(3, 320, 240)
    keypoints = find_keypoints(picture)
    read = unpack_keypoints(damage(pack_keypoints(keypoints, 320, 240)), 320, 240)
    assert verify(keypoints, (320, 240), read, (320, 240)).inliers <= len(keypoints)


def test_decoded_keypoints_verify_as_well(draw):
    picture = draw(3, 320, 240)
    keypoints = find_keypoints(picture)
    read = unpack_keypoints(pack_keypoints(keypoints, 320, 240), 320, 240)
    before, after = (verify(keypoints, (320, 240), other, (320, 240)) for other in (keypoints, read))
    assert before.inliers > 10 and after.inliers == pytest.approx(before.inliers, abs=2)
    assert after.box.xywh == pytest.approx((0, 0, 320, 240), abs=2)
