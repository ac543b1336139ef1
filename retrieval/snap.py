"""A roughly drawn box fitted to the thing in it. Needs no weights."""

import cv2
import numpy as np

from retrieval.types import Box, Image

SIDE = 160
"""Longest side, in pixels, at which the box and its surroundings are looked at."""
ROOM = 0.25
"""Surroundings on each side, as a share of the box, that say what is background."""
ROUNDS = 3
LEAST = 0.3
"""Of either side, what a fitted box must keep: less is a part of the thing."""
TRIMMED = 0.01
"""Share of the foreground on each side that may be a stray strand."""


def snap_box(image: Image, box: Box) -> Box:
    """The box fitted to the thing in it by GrabCut (Rother et al., SIGGRAPH 2004); the same box where that fails.

    Both are in pixels of the image (H, W, 3). Same input, same answer.
    """
    height, width = image.shape[:2]
    around = box.grown(1 + 2 * ROOM).clipped(width, height)
    scale = min(SIDE / max(around.width, around.height), 1.0)
    size = max(round(around.width * scale), 8), max(round(around.height * scale), 8)
    patch = cv2.resize(image[around.y0 : around.y1, around.x0 : around.x1], size, interpolation=cv2.INTER_AREA)
    mask = np.full(patch.shape[:2], cv2.GC_BGD, np.uint8)
    x0, x1 = (round((edge - around.x0) * scale) for edge in (box.x0, box.x1))
    y0, y1 = (round((edge - around.y0) * scale) for edge in (box.y0, box.y1))
    mask[y0:y1, x0:x1] = cv2.GC_PR_FGD
    if (mask == cv2.GC_BGD).mean() < 0.05:  # nothing around it to compare with
        return box
    cv2.setRNGSeed(0)  # its clusters begin by chance
    try:
        cv2.grabCut(patch, mask, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return box
    ys, xs = np.nonzero(mask == cv2.GC_PR_FGD)
    if not len(xs):
        return box
    left, right = np.quantile(xs, [TRIMMED, 1 - TRIMMED]) / scale + around.x0
    top, bottom = np.quantile(ys, [TRIMMED, 1 - TRIMMED]) / scale + around.y0
    fitted = Box(int(left), int(top), int(right + 1 / scale) + 1, int(bottom + 1 / scale) + 1).clipped(width, height)
    too_small = fitted.width < LEAST * box.width or fitted.height < LEAST * box.height
    return box if too_small else fitted
