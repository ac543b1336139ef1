"""A rough box fitted to the thing in it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from retrieval.regions.proposals import LEAST_PIXELS, shrunk
from retrieval.types import Box, Image

_CORE = 0.5  # of either side of a drawn box: the middle that is taken for the thing itself
_BACKGROUND = 1.4  # times as wide and high as a drawn box: what lies beyond the box in it is not the thing
_ROUNDS = 2  # of GrabCut; more find no more


def fit_box(image: Image, box: Box) -> Box:
    """A box drawn generously round a thing in a picture (H, W, 3), drawn in to its edges by GrabCut.

    GrabCut (Rother et al., SIGGRAPH 2004) is told that the middle of the box is the thing and what lies round the box
    is not. The result lies in the box and holds its middle. Where nothing can be told, as in a box that is tiny or
    leaves nothing of the picture outside, it is the box, cut to the picture. Deterministic.
    """
    width, height = image.shape[1], image.shape[0]
    box = box.clipped(width, height)
    if min(box.width, box.height) < LEAST_PIXELS:
        return box
    around = box.grown(_BACKGROUND).clipped(width, height)
    small = shrunk(image[around.y0 : around.y1, around.x0 : around.x1])
    pixel = np.array([around.width / small.shape[1], around.height / small.shape[0]])  # of `small`, in the picture's
    start = np.array([around.x0, around.y0])
    inside = (np.array([[box.x0, box.y0], [box.x1, box.y1]]) - start) / pixel
    thing = _cut_out(small, np.rint(inside).astype(int))
    if thing is None:
        return box
    x, y, w, h = cv2.boundingRect(thing)
    x0, y0 = (start + np.floor([x, y] * pixel).astype(int)).tolist()
    x1, y1 = (start + np.ceil([x + w, y + h] * pixel).astype(int)).tolist()
    snapped = Box(max(x0, box.x0), max(y0, box.y0), min(x1, box.x1), min(y1, box.y1))
    return snapped if min(snapped.width, snapped.height) >= LEAST_PIXELS else box


def _cut_out(image: Image, corners: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    """The thing (h, w), 0 or 1, in a box [[x0, y0], [x1, y1]] of an image; None where nothing stands off."""
    (x0, y0), (x1, y1) = corners.tolist()
    middle = corners.mean(axis=0)
    (left, top), (right, bottom) = np.rint(middle + (corners - middle) * _CORE).astype(int).tolist()
    mask = np.full(image.shape[:2], cv2.GC_BGD, np.uint8)
    mask[y0:y1, x0:x1] = cv2.GC_PR_FGD
    mask[top:bottom, left:right] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # of this thread; GrabCut draws where its clusters start
    try:
        cv2.grabCut(image, mask, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # no thing or no surroundings, or too few pixels of them to make clusters of
        return None
    _, parts = cv2.connectedComponents(np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8))
    thing = np.asarray(parts == parts[(top + bottom) // 2, (left + right) // 2])
    return thing.astype(np.uint8) if (mask[thing] == cv2.GC_PR_FGD).any() else None
