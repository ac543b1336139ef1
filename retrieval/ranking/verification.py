"""Geometric verification: count the keypoint matches that agree on one homography.

Descriptors find images that look alike. Here SIFT keypoints of the query are matched in the candidate, and only matches
consistent with one homography count as inliers. Six inliers rarely agree by chance.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from retrieval.ranking.dot_products import dot_products
from retrieval.ranking.keypoints import (
    QUERY_SIDE,
    UNIT,
    Keypoints,
    mirror_keypoints,
    mirrored,
    query_keypoints,
)
from retrieval.ranking.search_threads import THREADS, search_threads
from retrieval.types import Box, Image

MIN_INLIERS = 6
"""Minimum inliers for a match. Any four points define a homography, so the first four prove nothing."""
CERTAIN_INLIERS = 10
"""Inlier count above which a false match is negligible, even over hundreds of candidates."""
PAIRS_BUDGET = 100_000_000
"""Most pairs of a query and a candidate keypoint compared in one search, over all candidates and views.

Work is counted instead of time, so that a search has the same answer on a busy machine. One view has up to 16 million
pairs with its 90 candidates; 100 million take about 0.7 s on two cores.
"""
TOGETHER = 8
"""Candidates whose descriptors are multiplied with those of the query in one product."""

_RATIO = 0.85  # Lowe uses 0.8; RANSAC rejects the additional wrong matches
_CANDIDATE_SIDE = 640  # pixels: the longest side to which candidates are scaled before tolerances apply
_TOLERANCE = 6.0  # pixels at that scale
_STRIP = 1.0  # pixels rms: inliers closer to one line than this do not constrain the direction across it
_CELLS = 6  # a side of the grid over the crop
_AREA = 0.003, 30.0  # allowed area ratio of the outline to the query, at their standard scales


Homography = NDArray[np.float64]
"""(3, 3), from places in the query crop to places in the candidate, both as shares of width and height."""
Points = NDArray[np.float32]
"""(M, 2): x, y."""
Products = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The inlier count and the box of the query outline, mapped into the candidate."""

    inliers: int
    box: Box | None
    cover: float = field(default=0.0, compare=False)
    """Of the cells of a grid over the crop that contain keypoints, the share with inliers."""
    homography: Homography | None = field(default=None, compare=False)
    places: Points | None = field(default=None, compare=False)
    """Where the inliers are in the crop, as shares of its width and height."""


NO_EVIDENCE = Evidence(0, None)


@dataclass(frozen=True, slots=True)
class Details:
    """Matched keypoints of a query and a candidate; row i of both arrays is one match."""

    query: Points  # in pixels of the crop
    candidate: Points  # in pixels of the candidate
    box: Box | None = None
    """The box of the query outline, mapped into the candidate."""
    homography: Homography | None = None


def verify(
    query: Keypoints, query_size: tuple[int, int], candidate: Keypoints, candidate_size: tuple[int, int]
) -> Evidence:
    """Verify one candidate. Sizes are (width, height); the resulting box is in candidate pixels.

    The homography is estimated by MAGSAC++ (Barath et al., CVPR 2020), with both images scaled to standard sides so
    that thresholds do not depend on resolution. Deterministic.
    """
    return _evidence(_inliers(query, query_size, candidate, candidate_size), query, query_size)


def _evidence(found: Details | None, query: Keypoints, query_size: tuple[int, int]) -> Evidence:
    if found is None:
        return NO_EVIDENCE
    whole = np.array(query_size, np.float32)
    places, of_all = np.asarray(found.query / whole), np.asarray(query.points / whole)
    return Evidence(len(found.query), found.box, _cover(places, of_all), found.homography, places)


def verify_all(
    query: Keypoints,
    query_size: tuple[int, int],
    candidates: Sequence[int],
    read: Callable[[int], tuple[Keypoints, tuple[int, int]]],
    pairs: float,
) -> list[Evidence]:
    """Verify the candidates in order. `read` returns the keypoints and (width, height) of one.

    Candidates must be sorted best first: once their keypoints make `pairs` pairs with those of the query, the rest get
    NO_EVIDENCE and are not read. THREADS threads share the work; results do not depend on their number or speed.
    """
    evidence = [NO_EVIDENCE] * len(candidates)
    if len(query) < MIN_INLIERS or not candidates:
        return evidence
    waiting, lock = iter(enumerate(candidates)), threading.Lock()
    together = min(len(candidates) // (2 * THREADS) + 1, TOGETHER)  # few are shared evenly

    def next_group() -> list[tuple[int, Keypoints, tuple[int, int]]]:
        nonlocal pairs
        group: list[tuple[int, Keypoints, tuple[int, int]]] = []
        with lock:  # read in order, so that the budget always ends at the same candidate
            while len(group) < together and pairs > 0 and (taken := next(waiting, None)):
                place, candidate = taken
                keypoints, size = read(candidate)
                pairs -= len(query) * len(keypoints)
                group.append((place, keypoints, size))
        return group

    def work() -> None:
        while group := next_group():
            starts = np.cumsum([len(keypoints) for _, keypoints, _ in group])[:-1]
            products = dot_products(
                query.descriptors, np.concatenate([keypoints.descriptors for _, keypoints, _ in group])
            )
            for (place, keypoints, size), part in zip(group, np.split(products, starts, axis=1), strict=True):
                evidence[place] = _evidence(_inliers(query, query_size, keypoints, size, part), query, query_size)

    for worker in [search_threads().submit(work) for _ in range(THREADS)]:
        worker.result()
    return evidence


def matched_details(crop: Image, candidate: Keypoints, candidate_size: tuple[int, int]) -> Details:
    """The inlier matches of a query crop (H, W, 3), or of its mirror image if it has none; empty without either."""
    keypoints, size = query_keypoints(crop)
    if found := _inliers(keypoints, size, candidate, candidate_size):
        return found
    if found := _inliers(mirror_keypoints(keypoints, size[0]), size, candidate, candidate_size):
        return replace(found, query=mirrored(found.query, size[0]))
    none = np.zeros((0, 2), np.float32)
    return Details(none, none)


def verification_score(inliers: int) -> float:
    """The score part for an inlier count, 0 to 1. Never negative, because smooth objects have few keypoints."""
    return 0.0 if inliers < MIN_INLIERS else min((inliers - MIN_INLIERS + 1) / 10, 1.0)


def _inliers(
    query: Keypoints,
    query_size: tuple[int, int],
    candidate: Keypoints,
    candidate_size: tuple[int, int],
    products: Products | None = None,
) -> Details | None:
    """The inliers of the estimated homography; None if they are too few or it is implausible.

    `products` are those of the descriptors, (K, L), if they are known; they are changed.
    """
    if len(query) < MIN_INLIERS or len(candidate) < MIN_INLIERS:
        return None
    query_scale, scale = QUERY_SIDE / max(query_size), _CANDIDATE_SIDE / max(candidate_size)
    rows, columns = _matches(dot_products(query.descriptors, candidate.descriptors) if products is None else products)
    first = _first_of_each(np.round(candidate.points[columns] * scale))
    if len(first) < MIN_INLIERS:
        return None
    rows, columns = rows[first], columns[first]
    source = (query.points[rows] * query_scale).astype(np.float32)  # (M, 2)
    target = (candidate.points[columns] * scale).astype(np.float32)
    mapping, mask = cv2.findHomography(source, target, _magsac())
    if mapping is None or mask is None or not np.all(np.isfinite(mapping)):
        return None
    inliers = np.flatnonzero(mask)
    if len(inliers) < MIN_INLIERS or not (_determine(source[inliers]) and _determine(target[inliers])):
        return None
    outline = _outline(np.asarray(mapping, np.float64), query_size[0] * query_scale, query_size[1] * query_scale)
    if outline is None:
        return None
    x0, y0, x1, y1 = (round(float(v)) for v in np.r_[outline.min(axis=0), outline.max(axis=0)] / scale)
    box = Box(x0, y0, x1, y1).clipped(*candidate_size)
    if box.width < 1 or box.height < 1:
        return None
    from_shares = np.diag([*np.multiply(query_size, query_scale), 1.0])
    to_shares = np.diag([*1 / np.multiply(candidate_size, scale), 1.0])
    homography = np.asarray(to_shares @ mapping @ from_shares, np.float64)
    return Details(query.points[rows[inliers]], candidate.points[columns[inliers]], box, homography)


def _matches(products: Products) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of a query and of a candidate that pass Lowe's ratio test, both (M,), best first.

    Products are (K, L >= 2), and are changed. All descriptors have the same length: the squared distance is twice what
    the product lacks to its square.
    """
    rows = np.arange(len(products))
    nearest = products.argmax(axis=1)
    best = np.maximum(UNIT**2 - products[rows, nearest].astype(np.float64), 0)
    products[rows, nearest] = 0
    passed = best < _RATIO**2 * (UNIT**2 - products.max(axis=1))
    order = np.argsort(best[passed], kind="stable")
    return rows[passed][order], nearest[passed][order]


def _first_of_each(places: NDArray[np.float32]) -> NDArray[np.intp]:
    """Indices of the first occurrence of each distinct position (N, 2), in order.

    A keypoint with two orientations, or one matched many times in a pattern, counts once. Otherwise a degenerate
    homography that collapses everything to one point would collect more inliers than the true one.
    """
    _, first = np.unique(places @ (1, 1j), return_index=True)  # complex numbers, because unique is faster on 1-D input
    return np.sort(first)


def _cover(inliers: Points, points: Points) -> float:
    """Of the grid cells that contain any of the points (K, 2), the share with inliers (M, 2). Both in shares."""
    agreeing, textured = (
        np.unique(np.clip(np.floor(some * _CELLS), 0, _CELLS - 1) @ (1, _CELLS)) for some in (inliers, points)
    )
    return len(agreeing) / len(textured)


def _magsac() -> cv2.UsacParams:
    """The settings of cv2.USAC_MAGSAC, written out so that results do not change with OpenCV's defaults."""
    settings = cv2.UsacParams()
    settings.score, settings.sampler = cv2.SCORE_METHOD_MAGSAC, cv2.SAMPLING_UNIFORM
    settings.loMethod, settings.loSampleSize, settings.loIterations = cv2.LOCAL_OPTIM_SIGMA, 75, 15
    settings.threshold, settings.confidence, settings.maxIterations = _TOLERANCE, 0.99, 500
    settings.randomGeneratorState, settings.isParallel = 0, False
    return settings


def _determine(points: NDArray[np.float32]) -> bool:
    """Whether points (N, 2) determine a homography: no line may contain all but one of them, within _STRIP pixels."""
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    outer = centred[:, :, None] * centred[:, None, :]
    without = outer.sum(axis=0) - outer * len(points) / (len(points) - 1)  # (N, 2, 2), leave-one-out scatter
    return bool(np.linalg.eigvalsh(without)[:, 0].min() >= (len(points) - 1) * _STRIP**2)


def _outline(mapping: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64] | None:
    """Map the corners of a width x height rectangle by a homography (3, 3) -> (4, 2); None if implausible."""
    x, y, depth = mapping @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]])
    if (depth * depth[0]).min() <= 1e-6 * depth[0] ** 2:  # crosses the horizon; otherwise it stays convex
        return None
    x, y = x / depth, y / depth
    area = (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2  # negative when mirrored
    return np.stack([x, y], axis=1) if _AREA[0] <= area / (width * height) <= _AREA[1] else None
