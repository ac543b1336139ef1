"""The keypoints of a picture as bytes in a generation, and back."""

import numpy as np

from retrieval.ranking.keypoints import Keypoints

PLACES = 65_535
"""Coordinates are kept as so many steps along each side: finer than a pixel of any picture that is matched."""
RECORD = np.dtype([("x", "<u2"), ("y", "<u2"), ("descriptor", "u1", (128,))])


def pack_keypoints(keypoints: Keypoints, width: int, height: int) -> bytes:
    """132 bytes a keypoint of a (width, height) picture."""
    records = np.zeros(len(keypoints), RECORD)
    steps = np.clip(np.rint(keypoints.points / [width, height] * PLACES), 0, PLACES)
    records["x"], records["y"] = steps[:, 0], steps[:, 1]
    records["descriptor"] = keypoints.descriptors
    return records.tobytes()


def unpack_keypoints(data: bytes, width: int, height: int) -> Keypoints:
    """What was packed; of damaged bytes what is whole records of."""
    records = np.frombuffer(data, RECORD, len(data) // RECORD.itemsize)
    steps = np.stack([records["x"], records["y"]], axis=1)
    return Keypoints(np.asarray(steps / PLACES * [width, height], np.float32), records["descriptor"])
