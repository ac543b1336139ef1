"""Encode an image's keypoints as bytes, and decode them."""

import numpy as np

from retrieval.ranking.keypoints import Keypoints

PLACES = 65_535
"""Coordinates are quantised to this many steps per side, finer than a pixel of any matched image."""
RECORD = np.dtype([("x", "<u2"), ("y", "<u2"), ("descriptor", "u1", (128,))])


def pack_keypoints(keypoints: Keypoints, width: int, height: int) -> bytes:
    """Encode the keypoints of a (width, height) image, 132 bytes each."""
    records = np.zeros(len(keypoints), RECORD)
    steps = np.clip(np.rint(keypoints.points / [width, height] * PLACES), 0, PLACES)
    records["x"], records["y"] = steps[:, 0], steps[:, 1]
    records["descriptor"] = keypoints.descriptors
    return records.tobytes()


def unpack_keypoints(data: bytes, width: int, height: int) -> Keypoints:
    """Decode keypoints, in pixels of a (width, height) image. An incomplete record at the end is dropped."""
    records = np.frombuffer(data, RECORD, len(data) // RECORD.itemsize)
    steps = np.stack([records["x"], records["y"]], axis=1)
    return Keypoints(np.asarray(steps / PLACES * [width, height], np.float32), records["descriptor"])
