"""Keypoint descriptors made of random numbers, as long as those of SIFT."""

import numpy as np
from numpy.typing import NDArray

from retrieval.ranking.keypoints import UNIT


def made_descriptors(rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """Distinct descriptors (count, 128)."""
    return as_descriptors(rng.random((count, 128)) ** 2)


def as_descriptors(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values (N, 128) at the length of descriptors."""
    return np.round(values / np.linalg.norm(values, axis=1, keepdims=True) * UNIT).astype(np.uint8)
