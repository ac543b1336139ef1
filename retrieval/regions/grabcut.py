"""Fit a rough box to the object in it with GrabCut."""

import cv2
import numpy as np
from numpy.typing import NDArray

from retrieval.images.resize import crop_image
from retrieval.regions.proposals import LEAST_PIXELS, shrunk
from retrieval.types import Box, Image

_CORE = 0.5  # share of each side of the box: this centre is foreground
_BACKGROUND = 1.4  # box enlargement: the margin outside the drawn box is background
_ROUNDS = 2  # GrabCut iterations; more do not improve the result


def fit_box(image: Image, box: Box, size: tuple[int, int] | None = None) -> Box:
    """Shrink a box drawn generously around an object in an image (H, W, 3) to the object's edges.

    GrabCut (Rother et al., SIGGRAPH 2004) starts with the centre of the box as foreground and the surroundings of the
    box as background. The result lies in the box and contains its centre. If segmentation fails, for example because
    the box is tiny or covers the whole image, the result is the box, clipped to the image. Deterministic. `size` is the
    (width, height) of the original if `image` is a smaller copy. Boxes are in its pixels.
    """
    width, height = size = size or (image.shape[1], image.shape[0])
    box = box.clipped(width, height)
    if min(box.width, box.height) < LEAST_PIXELS:
        return box
    around = box.grown(_BACKGROUND).clipped(width, height)
    small = shrunk(crop_image(image, around, size))
    pixel = np.array([around.width / small.shape[1], around.height / small.shape[0]])  # per pixel of `small`
    start = np.array([around.x0, around.y0])
    inside = (np.array([[box.x0, box.y0], [box.x1, box.y1]]) - start) / pixel
    region = _segment(small, np.rint(inside).astype(int))
    if region is None:
        return box
    x, y, w, h = cv2.boundingRect(region)
    x0, y0 = (start + np.floor([x, y] * pixel).astype(int)).tolist()
    x1, y1 = (start + np.ceil([x + w, y + h] * pixel).astype(int)).tolist()
    snapped = Box(max(x0, box.x0), max(y0, box.y0), min(x1, box.x1), min(y1, box.y1))
    return snapped if min(snapped.width, snapped.height) >= LEAST_PIXELS else box


def _segment(image: Image, corners: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    """Mask (h, w), 0 or 1, of the object in a box [[x0, y0], [x1, y1]] of an image; None if segmentation fails."""
    (x0, y0), (x1, y1) = corners.tolist()
    middle = corners.mean(axis=0)
    (left, top), (right, bottom) = np.rint(middle + (corners - middle) * _CORE).astype(int).tolist()
    mask = np.full(image.shape[:2], cv2.GC_BGD, np.uint8)
    mask[y0:y1, x0:x1] = cv2.GC_PR_FGD
    mask[top:bottom, left:right] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # per thread; GrabCut initialises its clusters at random
    try:
        cv2.grabCut(image, mask, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # no foreground or background, or too few pixels to cluster
        return None
    _, parts = cv2.connectedComponents(np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8))
    region = np.asarray(parts == parts[(top + bottom) // 2, (left + right) // 2])
    return region.astype(np.uint8) if (mask[region] == cv2.GC_PR_FGD).any() else None
