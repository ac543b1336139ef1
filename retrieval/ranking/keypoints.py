"""The small details of a picture: what verification compares."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retrieval.types import Image

GALLERY_SIDE, QUERY_SIDE = 448, 400
"""Longest side, in pixels, at which a gallery picture and a crop are looked at."""
LIMIT, QUERY_LIMIT = 500, 350
"""Keypoints kept of a gallery picture and looked for of a crop."""
_ENLARGED = 4.0  # at most: beyond that SIFT finds the interpolation, not the picture


@dataclass(frozen=True, slots=True)
class Keypoints:
    """Details of one picture; row i of both arrays is detail i."""

    points: NDArray[np.float32]
    """(K, 2) x, y in pixels of the picture they were found in, counted like the edges of a `Box`."""
    descriptors: NDArray[np.uint8]
    """(K, 128) RootSIFT, 255 for 1."""

    def __len__(self) -> int:
        return len(self.points)


def use_one_thread() -> None:
    """For a process that is one of many at the same work: OpenCV starts no threads of its own."""
    cv2.setNumThreads(1)


def find_keypoints(image: Image, side: int = GALLERY_SIDE, limit: int = LIMIT) -> Keypoints:
    """The `limit` strongest SIFT keypoints (Lowe, IJCV 2004) of a picture (H, W, 3) resized to this longest side.

    Descriptors are RootSIFT (Arandjelović & Zisserman, CVPR 2012): the root of the L1-normalised histogram, whose
    Euclidean distance is the Hellinger distance, which a few big bins do not rule. A byte each loses nothing that
    matters and is a quarter of the index. A picture without texture has no keypoints. Deterministic; OpenCV's own
    threads change no result.
    """
    height, width = image.shape[:2]
    scale = min(side / max(height, width), _ENLARGED)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=how)
    sift = cv2.SIFT.create(nfeatures=limit, contrastThreshold=0.02)  # half of the usual: many are faint
    found, histograms = sift.detectAndCompute(grey, None)
    if not found:
        return Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    strongest = np.argsort([-keypoint.response for keypoint in found], kind="stable")[:limit]  # ties exceed nfeatures
    # SIFT counts from the middle of a pixel (half a pixel less), on a doubled picture that lies a quarter too far
    points = np.array([found[i].pt for i in strongest], np.float32) + (0.5 - 0.25)
    shares = histograms[strongest] / np.maximum(histograms[strongest].sum(axis=1, keepdims=True), 1e-6)
    back = np.array([width / size[0], height / size[1]], np.float32)
    return Keypoints(points * back, np.round(np.sqrt(shares) * 255).astype(np.uint8))


def query_keypoints(crop: Image) -> tuple[Keypoints, tuple[int, int]]:
    """Those of what is looked for (H, W, 3), in pixels of the crop, and its (width, height)."""
    return find_keypoints(crop, QUERY_SIDE, QUERY_LIMIT), (crop.shape[1], crop.shape[0])
