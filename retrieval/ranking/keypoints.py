"""Extract SIFT keypoints, which geometric verification compares."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retrieval.types import Image

GALLERY_SIDE, QUERY_SIDE = 448, 400
"""Longest side, in pixels, to which a gallery image and a query crop are resized."""
LIMIT, QUERY_LIMIT = 500, 300
"""Maximum keypoints of a gallery image and of a query crop."""
UNIT = 255
"""Length of every descriptor, up to rounding."""
_ENLARGED = 4.0  # maximum upscaling: beyond it SIFT detects interpolation artefacts


@dataclass(frozen=True, slots=True)
class Keypoints:
    """The keypoints of one image; row i of both arrays is keypoint i."""

    points: NDArray[np.float32]
    """(K, 2) x, y in pixels of the image, in the coordinates of `Box` edges: pixel centres are at .5."""
    descriptors: NDArray[np.uint8]  # (K, 128): RootSIFT, scaled to length UNIT

    def __len__(self) -> int:
        return len(self.points)


def use_one_thread() -> None:
    """Stop OpenCV from starting threads in this process, which shares its work among threads of its own."""
    cv2.setNumThreads(1)


def find_keypoints(image: Image, side: int = GALLERY_SIDE, limit: int = LIMIT) -> Keypoints:
    """The `limit` strongest SIFT keypoints (Lowe, IJCV 2004) of an image (H, W, 3) resized to this longest side.

    Descriptors are RootSIFT (Arandjelović & Zisserman, CVPR 2012): the square root of the L1-normalised histogram. Its
    Euclidean distance is the Hellinger distance, which large bins do not dominate. One byte per value loses no accuracy
    that matters and makes the index a quarter of the size. An image without texture has no keypoints. Deterministic
    for any number of OpenCV threads.
    """
    height, width = image.shape[:2]
    scale = min(side / max(height, width), _ENLARGED)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=how)
    sift = cv2.SIFT.create(nfeatures=limit, contrastThreshold=0.02)  # half the default, to keep weak keypoints
    found, histograms = sift.detectAndCompute(grey, None)
    if not found:
        return Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    strongest = np.argsort([-keypoint.response for keypoint in found], kind="stable")[:limit]  # ties exceed nfeatures
    # SIFT coordinates start at pixel centres (+0.5), and doubling the image shifts them by a quarter pixel (-0.25)
    points = np.array([found[i].pt for i in strongest], np.float32) + (0.5 - 0.25)
    shares = histograms[strongest] / np.maximum(histograms[strongest].sum(axis=1, keepdims=True), 1e-6)
    back = np.array([width / size[0], height / size[1]], np.float32)
    return Keypoints(points * back, np.round(np.sqrt(shares) * UNIT).astype(np.uint8))


def query_keypoints(crop: Image) -> tuple[Keypoints, tuple[int, int]]:
    """The keypoints of a query crop (H, W, 3), in pixels of the crop, and its (width, height)."""
    return find_keypoints(crop, QUERY_SIDE, QUERY_LIMIT), (crop.shape[1], crop.shape[0])


def mirror_keypoints(keypoints: Keypoints, width: int) -> Keypoints:
    """The keypoints of the same image, `width` pixels wide, mirrored left to right, without detecting them again.

    A SIFT descriptor is a 4 x 4 grid of histograms of 8 directions, laid along the direction of its keypoint. In a
    mirrored image the rows across that direction change places, and directions turn the other way.
    """
    histograms = keypoints.descriptors.reshape(-1, 4, 4, 8)
    turned = histograms[:, ::-1, :, (-np.arange(8)) % 8].reshape(-1, 128)
    return Keypoints(mirrored(keypoints.points, width), turned)


def mirrored(points: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Points (K, 2) of an image of this width in its mirror image."""
    return np.asarray(points * np.array([-1, 1], np.float32) + np.array([width, 0], np.float32))
