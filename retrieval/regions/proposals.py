"""Propose boxes of salient objects, without a network."""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from retrieval.types import Box, Image, Region

_SIDE = 128  # longest side, in pixels, of the analysed copy
_SHARES = 0.17 * 1.27 ** np.arange(7)  # square root of box area over image area: 0.17 to 0.71
_ASPECTS = 2 ** np.arange(-1, 1.5, 0.5)  # width to height
_STEP = 0.25  # sliding-window step, as a share of the box side
_LEAST_SHARE, LEAST_PIXELS = 0.05, 8  # minimum box side: share of the image side, pixels
_OVERLAP = 0.4  # intersection over union above which boxes are duplicates
_CONTOUR_FACTOR = 1.5  # score factor for contour boxes, which fit objects more closely than sliding windows
_SURROUNDINGS = 1.5  # enlargement of a box for colour contrast
_CONTRAST_CANDIDATES = 1200  # most salient boxes, of about 5000, whose colour contrast is computed
_CENTRE = 0.3  # standard deviation of the centre prior, as a share of the image side
_LEVELS = 3  # colour quantiles per CIELAB channel
_PATCH = 2  # side, in pixels, of the patches in which colours are counted


class _Boxes(NamedTuple):
    """Candidate boxes and their salience weights, by box size and distance from the image centre."""

    edges: NDArray[np.int64]  # (N, 4), in pixels of the image
    small_edges: NDArray[np.float64]  # (N, 4), in pixels of the small copy
    corners: NDArray[np.int64]  # (N, 4): `small_edges`, rounded and clipped
    weights: NDArray[np.float64]  # (N,)


def suggest_boxes(image: Image, count: int = 6, size: tuple[int, int] | None = None) -> list[Box]:
    """Up to `count` boxes of salient objects in an image (H, W, 3), in its pixels, best first, with limited overlap.

    `size` is the (width, height) of the original if `image` is a smaller copy. Boxes are then in its pixels.

    The score combines salience relative to size, colour contrast to the surroundings, and closeness to the centre. No
    box covers the whole image. An image without detail has no boxes. Deterministic.
    """
    size, small = size or (image.shape[1], image.shape[0]), shrunk(image)
    return [box for box, _ in _top_boxes(small, _windows(size, small.shape[:2]), count)]


def propose_regions(image: Image, count: int = 10) -> list[Region]:
    """Up to `count` object proposals in an image (H, W, 3), in its pixels, best first, with limited overlap.

    Candidates are the windows of `suggest_boxes` and boxes around contours. Scores are relative to the best, which
    has 1. Deterministic.
    """
    size, small = (image.shape[1], image.shape[0]), shrunk(image)
    contours = _boxes(_contours(small, size), size, small.shape[:2], _CONTOUR_FACTOR)
    windows = _windows(size, small.shape[:2])
    both = _Boxes._make(map(np.concatenate, zip(contours, windows, strict=True)))
    found = _top_boxes(small, both, count)
    return [Region(box, "proposals", score / found[0][1]) for box, score in found]


def _top_boxes(small: Image, boxes: _Boxes, count: int) -> list[tuple[Box, float]]:
    """The highest-scoring boxes and their scores, after non-maximum suppression. `small` is the small copy."""
    smooth = cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), 0.7)
    lab = np.asarray(cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB), np.float32)
    stand_out = _sums(cv2.integral(_salience(lab))[:, :, None], boxes.corners)[:, 0] * boxes.weights
    candidates = np.flatnonzero(stand_out > 0)
    if len(candidates) > _CONTRAST_CANDIDATES:
        candidates = candidates[np.argpartition(-stand_out[candidates], _CONTRAST_CANDIDATES)[:_CONTRAST_CANDIDATES]]
    edges, scores = (
        boxes.edges[candidates],
        stand_out[candidates] * np.sqrt(_contrast(lab, boxes.small_edges[candidates])),
    )
    found: list[tuple[Box, float]] = []
    waiting = np.argsort(-scores, kind="stable")
    waiting = waiting[scores[waiting] > 0]
    while len(waiting) and len(found) < count:
        best = edges[waiting[0]]
        found.append((Box(*best.tolist()), float(scores[waiting[0]])))
        waiting = waiting[_overlaps(best, edges[waiting]) < _OVERLAP]
    return found


@lru_cache(64)
def _windows(size: tuple[int, int], small: tuple[int, int]) -> _Boxes:
    """Sliding windows of several sizes and aspects, for an image (width, height) and its small copy (h, w)."""
    width, height = size
    least = max(_LEAST_SHARE * width, LEAST_PIXELS), max(_LEAST_SHARE * height, LEAST_PIXELS)
    found = [np.zeros((0, 4), np.int64)]
    for share in _SHARES:
        for aspect in _ASPECTS:
            w, h = (share * np.sqrt(width * height) * np.sqrt([aspect, 1 / aspect])).round().astype(int)
            if least[0] <= w <= width and least[1] <= h <= height:
                x, y = (a.ravel() for a in np.meshgrid(_starts(width, w), _starts(height, h)))
                found.append(np.stack([x, y, x + w, y + h], axis=1))
    return _boxes(np.concatenate(found), size, small)


def _boxes(edges: NDArray[np.int64], size: tuple[int, int], small: tuple[int, int], factor: float = 1.0) -> _Boxes:
    """Make _Boxes from edges (N, 4). `size` and `small` as in `_windows`; `factor` multiplies the weights."""
    small_edges = edges * np.tile(np.divide(small[::-1], size), 2)
    corners = _corners(small, small_edges)
    x0, y0, x1, y1 = corners.T
    middle = (small_edges[:, :2] + small_edges[:, 2:]) / 2 / small[::-1]
    off = ((middle - 0.5) ** 2).sum(axis=1)
    weights = factor / np.sqrt(np.maximum((x1 - x0) * (y1 - y0), 1)) * np.exp(-off / (2 * _CENTRE**2))
    return _Boxes(edges, small_edges, corners, weights)


def _contours(small: Image, size: tuple[int, int]) -> NDArray[np.int64]:
    """Bounding boxes (N, 4) of strong contours, without tiny ones and those of the whole image.

    `small` is the small copy. Boxes are in pixels of the image, whose (width, height) is `size`.
    """
    height, width = small.shape[:2]
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 1), cv2.COLOR_RGB2LAB)
    lightness, a, b = cv2.split(cv2.morphologyEx(lab, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    slopes = cv2.max(lightness, cv2.max(a, b))
    _, edges = cv2.threshold(slopes, 0, 255, cv2.THRESH_OTSU)
    outlines, _ = cv2.findContours(edges, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes = np.array([cv2.boundingRect(outline) for outline in outlines], np.int64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    boxes += np.array([1, 1, -1, -1])  # the gradient extends one pixel beyond the object
    boxes = np.rint(boxes * np.tile(np.divide(size, (width, height)), 2)).astype(np.int64)
    sides, least = boxes[:, 2:] - boxes[:, :2], np.maximum(np.multiply(_LEAST_SHARE, size), LEAST_PIXELS)
    return np.asarray(boxes[(sides >= least).all(axis=1) & (sides < size).any(axis=1)])


def _starts(length: int, side: int) -> NDArray[np.int64]:
    steps = int(np.ceil((length - side) / (_STEP * side)))
    return np.linspace(0, length - side, steps + 1).round().astype(np.int64)


def _contrast(lab: NDArray[np.float32], boxes: NDArray[np.float64]) -> NDArray[np.float32]:
    """Colour contrast of each box (N, 4) to its surroundings in an image (h, w, 3): (N,), 0 to 1.

    The chi-squared distance of the colour histograms; 0 if one is empty.
    """
    counts, boxes = _colours(lab), boxes / _PATCH
    integral = cv2.integral(counts)  # (h + 1, w + 1, C)
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * _SURROUNDINGS
    inside = _sums(integral, _corners(counts.shape[:2], boxes))
    outside = _sums(integral, _corners(counts.shape[:2], np.hstack([middle - half, middle + half]))) - inside
    sizes = inside.sum(axis=1, keepdims=True), outside.sum(axis=1, keepdims=True)
    a, b = inside / np.maximum(sizes[0], 1), outside / np.maximum(sizes[1], 1)
    empty = (np.minimum(*sizes) < 1)[:, 0]
    return np.asarray(np.where(empty, 0, ((a - b) ** 2 / np.maximum(a + b, 1e-9)).sum(axis=1) / 2), np.float32)


def shrunk(image: Image) -> Image:
    """Shrink an image to a longest side of at most _SIDE pixels."""
    height, width = image.shape[:2]
    scale = min(_SIDE / max(height, width), 1)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    every = max(height, width) // (4 * _SIDE) or 1  # step; averaging all pixels of a large image is slow
    coarse = np.ascontiguousarray(image[::every, ::every])
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_AREA), np.uint8)


def _salience(lab: NDArray[np.float32]) -> NDArray[np.float64]:
    """Spectral residual salience (Hou & Zhang, CVPR 2007): (h, w, 3) -> (h, w)."""
    channels = np.moveaxis(cv2.resize(lab, (64, 64), interpolation=cv2.INTER_AREA), 2, 0)
    spectra = scipy.fft.fft2(channels)
    strengths = np.abs(spectra) + np.float32(1e-3)
    logs = np.log(strengths)
    expected = np.stack([cv2.blur(log, (3, 3)) for log in logs])
    unexpected = scipy.fft.ifft2(np.exp(logs - expected) * spectra / strengths)
    total = (np.abs(unexpected) ** 2).sum(axis=0)
    salience = cv2.resize(cv2.GaussianBlur(total, (0, 0), 2.5), lab.shape[1::-1])
    return np.asarray(salience - salience.min(), np.float64)


def _colours(lab: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour histogram of each patch: (h, w, 3) -> pixel counts (h / _PATCH, w / _PATCH, C)."""
    h, w = -(-lab.shape[0] // _PATCH), -(-lab.shape[1] // _PATCH)
    colour = sum(_level(channel) * _LEVELS**axis for axis, channel in enumerate(np.moveaxis(lab, 2, 0)))
    patch = (np.arange(lab.shape[0]) // _PATCH * w)[:, None] + np.arange(lab.shape[1]) // _PATCH
    counts = np.bincount((patch * _LEVELS**3 + colour).ravel(), minlength=h * w * _LEVELS**3)
    return counts.reshape(h, w, _LEVELS**3).astype(np.uint8)


def _level(channel: NDArray[np.float32]) -> NDArray[np.int64]:
    """The quantile number of each value, 0 to _LEVELS - 1."""
    candidates = channel[::2, ::2].ravel()  # a quarter of the pixels is enough
    places = len(candidates) * np.arange(1, _LEVELS) // _LEVELS
    return np.asarray(sum(channel > step for step in np.partition(candidates, places)[places]), np.int64)


def _corners(grid: tuple[int, int], boxes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Boxes (N, 4), rounded and clipped to a grid of this (h, w) -> (N, 4)."""
    return np.rint(boxes).astype(np.int64).clip(0, np.tile(grid[::-1], 2))


def _sums(integral: NDArray[np.generic], corners: NDArray[np.int64]) -> NDArray[np.float32]:
    """Sums over boxes (N, 4) from an integral image (h + 1, w + 1, C) -> (N, C)."""
    (x0, y0, x1, y1), width = corners.T, integral.shape[1]
    flat = integral.reshape(-1, integral.shape[2])
    sums = flat[y1 * width + x1] - flat[y0 * width + x1] - flat[y1 * width + x0] + flat[y0 * width + x0]
    return np.asarray(sums, np.float32)


def _overlaps(box: NDArray[np.int64], boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of a box (4,) with others (N, 4) -> (N,)."""
    x0, y0, x1, y1 = boxes.T
    across = np.minimum(box[2], x1) - np.maximum(box[0], x0)
    down = np.minimum(box[3], y1) - np.maximum(box[1], y0)
    shared = np.maximum(across, 0) * np.maximum(down, 0)
    areas = (x1 - x0) * (y1 - y0)
    return np.asarray(shared / (areas + (box[2] - box[0]) * (box[3] - box[1]) - shared))
