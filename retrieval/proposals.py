"""Boxes of what stands out in a picture, without any network, and a rough box fitted to the thing in it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from retrieval.types import Box, Image, Region

_SIDE = 128  # longest side, in pixels, of the copy that is looked at
_SHARES = 0.17 * 1.27 ** np.arange(7)  # of a box in the picture, as the root of its area: 0.17 to 0.71
_ASPECTS = 2 ** np.arange(-1, 1.5, 0.5)  # width to height
_STEP = 0.25  # of its side that a box moves on
_LEAST_SHARE, _LEAST_PIXELS = 0.05, 8  # of a side of a box; no search takes fewer pixels
_OVERLAP = 0.4  # intersection over union from which on two boxes say the same
_CLOSE = 1.5  # times the score of a box round a contour, which fits a thing more closely than any fixed window
_SURROUNDINGS = 1.5  # times as wide and high as the box
_CENTRE = 0.3  # standard deviation, in sides of the picture, of how far off the middle people put what they show
_LEVELS = 3  # equally frequent steps along each axis of CIELAB
_CORE = 0.5  # of either side of a drawn box: the middle that is taken for the thing itself
_BACKGROUND = 1.4  # times as wide and high as a drawn box: what lies beyond the box in it is not the thing
_ROUNDS = 2  # of GrabCut; more find no more


def suggest_boxes(image: Image, count: int = 6) -> list[Box]:
    """Up to `count` boxes of what stands out in a picture (H, W, 3), in its pixels, best first; few overlap much.

    A good box holds much salience for its size, has other colours than what surrounds it, and lies near the middle.
    None is the whole picture, and a picture without any detail has none. Deterministic.
    """
    return [box for box, _ in _best(image, _windows(image.shape[1], image.shape[0]), count)]


def propose_regions(image: Image, count: int = 10) -> list[Region]:
    """Up to `count` regions of a picture (H, W, 3) that may hold one thing, in its pixels, best first.

    Boxes round contours compete with those that `suggest_boxes` chooses from; few overlap much. A score is a box's as a
    share of the best one's, so the first has 1. Deterministic.
    """
    width, height = image.shape[1], image.shape[0]
    contours, windows = _contours(image), _windows(width, height)
    worth = np.repeat([_CLOSE, 1.0], [len(contours), len(windows)])
    found = _best(image, np.concatenate([contours, windows]), count, worth)
    return [Region(box, "proposals", score / found[0][1]) for box, score in found]


def _best(
    image: Image, windows: NDArray[np.int64], count: int, worth: NDArray[np.float64] | float = 1.0
) -> list[tuple[Box, float]]:
    """The windows (N, 4) with the highest scores, times their worth, and these; none overlaps a better one much."""
    if not len(windows):
        return []
    scores = _scores(image, windows) * worth
    kept: list[int] = []
    waiting = np.argsort(-scores, kind="stable")
    waiting = waiting[scores[waiting] > 0]
    while len(waiting) and len(kept) < count:
        kept.append(int(waiting[0]))
        waiting = waiting[_overlaps(windows[waiting[0]], windows[waiting]) < _OVERLAP]
    return [(Box(*windows[place].tolist()), float(scores[place])) for place in kept]


def snap_box(image: Image, box: Box) -> Box:
    """A box drawn generously round a thing in a picture (H, W, 3), drawn in to its edges by GrabCut.

    GrabCut (Rother et al., SIGGRAPH 2004) is told that the middle of the box is the thing and what lies round the box
    is not. The result lies in the box and holds its middle. Where nothing can be told, as in a box that is tiny or
    leaves nothing of the picture outside, it is the box, cut to the picture. Deterministic.
    """
    width, height = image.shape[1], image.shape[0]
    box = box.clipped(width, height)
    if min(box.width, box.height) < _LEAST_PIXELS:
        return box
    around = box.grown(_BACKGROUND).clipped(width, height)
    small = _shrunk(image[around.y0 : around.y1, around.x0 : around.x1])
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
    return snapped if min(snapped.width, snapped.height) >= _LEAST_PIXELS else box


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


def _windows(width: int, height: int) -> NDArray[np.int64]:
    """The boxes (N, 4) of several sizes and shapes, all over a picture, that are compared."""
    least = max(_LEAST_SHARE * width, _LEAST_PIXELS), max(_LEAST_SHARE * height, _LEAST_PIXELS)
    found = [np.zeros((0, 4), np.int64)]
    for share in _SHARES:
        for aspect in _ASPECTS:
            w, h = (share * np.sqrt(width * height) * np.sqrt([aspect, 1 / aspect])).round().astype(int)
            if least[0] <= w <= width and least[1] <= h <= height:
                x, y = (a.ravel() for a in np.meshgrid(_starts(width, w), _starts(height, h)))
                found.append(np.stack([x, y, x + w, y + h], axis=1))
    return np.concatenate(found)


def _contours(image: Image) -> NDArray[np.int64]:
    """Boxes (N, 4) in pixels of an image round what strong edges enclose, not too small and never the whole of it."""
    small = _shrunk(image)
    height, width = small.shape[:2]
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 1), cv2.COLOR_RGB2LAB)
    slopes = cv2.morphologyEx(lab, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    _, edges = cv2.threshold(slopes, 0, 255, cv2.THRESH_OTSU)
    outlines, _ = cv2.findContours(edges, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes = np.array([cv2.boundingRect(outline) for outline in outlines], np.int64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    boxes += np.array([1, 1, -1, -1])  # a slope reaches a pixel beyond what it bounds
    size = np.array([image.shape[1], image.shape[0]])
    boxes = np.rint(boxes * np.tile(size / (width, height), 2)).astype(np.int64)
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes[(sides >= np.maximum(_LEAST_SHARE * size, _LEAST_PIXELS)).all(axis=1) & (sides < size).any(axis=1)]


def _starts(length: int, side: int) -> NDArray[np.int64]:
    steps = int(np.ceil((length - side) / (_STEP * side)))
    return np.linspace(0, length - side, steps + 1).round().astype(np.int64)


def _scores(image: Image, windows: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much each window (N, 4) of an image looks like one thing, (N,)."""
    small = _shrunk(image)
    smooth = cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), 0.7)
    lab = np.asarray(cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB), np.float32)
    layers = np.dstack([_salience(lab), _colours(lab)])  # (h, w, 1 + C)
    sums = np.pad(layers.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0), (0, 0)))  # integral images
    size = np.array([image.shape[1], image.shape[0]])
    to_small = np.tile([small.shape[1], small.shape[0]] / size, 2)
    inner = _sums(sums, windows * to_small)
    middle, half = (windows[:, :2] + windows[:, 2:]) / 2, (windows[:, 2:] - windows[:, :2]) / 2 * _SURROUNDINGS
    ring = _sums(sums, np.hstack([middle - half, middle + half]) * to_small) - inner
    mass = inner[:, 0] / np.sqrt(np.maximum(inner[:, 1:].sum(axis=1), 1))
    off = ((middle / size - 0.5) ** 2).sum(axis=1)
    return np.asarray(mass * np.sqrt(_contrast(inner[:, 1:], ring[:, 1:])) * np.exp(-off / (2 * _CENTRE**2)))


def _shrunk(image: Image) -> Image:
    """At most _SIDE pixels on the longest side."""
    height, width = image.shape[:2]
    scale = min(_SIDE / max(height, width), 1)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    every = max(height, width) // (4 * _SIDE) or 1  # pixel: averaging all of a large picture would take longest
    coarse = np.ascontiguousarray(image[::every, ::every])
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_AREA), np.uint8)


def _salience(lab: NDArray[np.float32]) -> NDArray[np.float64]:
    """The spectral residual (Hou & Zhang, CVPR 2007) of a picture (h, w, 3): what its spectrum does not expect."""
    total = np.zeros((64, 64))
    for channel in np.moveaxis(lab, 2, 0):
        spectrum = np.fft.fft2(cv2.resize(channel, (64, 64), interpolation=cv2.INTER_AREA))
        logs = np.log(np.abs(spectrum) + 1e-3)
        total += np.abs(np.fft.ifft2(np.exp(logs - cv2.blur(logs, (3, 3)) + 1j * np.angle(spectrum)))) ** 2
    salience = cv2.resize(cv2.GaussianBlur(total, (0, 0), 2.5), lab.shape[1::-1])
    return np.asarray(salience - salience.min(), np.float64)


def _colours(lab: NDArray[np.float32]) -> NDArray[np.float64]:
    """Which of the picture's colours each pixel of (h, w, 3) has: (h, w, C), a single 1 each."""
    levels = [(channel[..., None] > _steps(channel)).sum(axis=2) for channel in np.moveaxis(lab, 2, 0)]
    number = np.ravel_multi_index(levels, (_LEVELS,) * 3)
    return np.asarray(np.eye(_LEVELS**3)[number])


def _steps(channel: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.quantile(channel, np.arange(1, _LEVELS) / _LEVELS))


def _sums(sums: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """What lies in each box (N, 4), by the integral images (h + 1, w + 1, C): (N, C)."""
    x0, y0, x1, y1 = np.rint(boxes).astype(int).T.clip(0, np.tile(sums.shape[1::-1], 2)[:, None] - 1)
    return np.asarray(sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0])


def _contrast(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chi-squared distances (N,), 0 to 1, between histograms (N, C) of whatever size; 0 where one is empty."""
    a, b = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) for counts in (inside, outside))
    empty = (inside.sum(axis=1) < 1) | (outside.sum(axis=1) < 1)
    return np.asarray(np.where(empty, 0, ((a - b) ** 2 / np.maximum(a + b, 1e-9)).sum(axis=1) / 2))


def _overlaps(box: NDArray[np.int64], boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of one box (4,) with each of others (N, 4)."""
    shared = (np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])).clip(0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.asarray(shared / (areas + (box[2:] - box[:2]).prod() - shared))
