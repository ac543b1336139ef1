"""Whether a gallery picture shows the very object in the box, judged by where its small details lie.

Descriptors say what looks alike. Here single details (SIFT keypoints) of the query are found again in the candidate,
and only those count that one plane-to-plane mapping carries to their places: chance does not line up six details.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retrieval.cpus import cpu_count
from retrieval.ranking.keypoints import QUERY_SIDE, Keypoints, query_keypoints
from retrieval.types import Box, Image

MIN_INLIERS = 6
"""Inliers from which on a mapping is evidence: any four points have one, so the first four say nothing."""
CERTAIN_INLIERS = 10
"""Inliers from which on chance is ruled out, also over the hundreds of candidates of one search."""
TIME_BUDGET = 0.7
"""Seconds that the candidates of one search may take."""
THREADS = min(cpu_count(), 4)
"""Candidates of one search that are looked at at the same time: almost all of it is done outside the interpreter."""

_RATIO = 0.85  # Lowe takes 0.8; RANSAC throws out the few more that are wrong
_CANDIDATE_SIDE = 640  # pixels: what tolerances are meant at, wherever the keypoints were found
_TOLERANCE = 6.0  # pixels of a candidate of that side
_STRIP = 1.0  # pixels rms: inliers nearer to one line than this say nothing about the direction across it
_AREA = 0.003, 30.0  # of the outline, candidate of that side to query at QUERY_SIDE


@dataclass(frozen=True, slots=True)
class Evidence:
    """How many distinct places agree on one mapping, and where in the candidate it puts the outline of the query."""

    inliers: int
    box: Box | None


NOTHING = Evidence(0, None)


@dataclass(frozen=True, slots=True)
class Details:
    """What of a query was found again in a candidate; row i of both arrays is one detail."""

    query: NDArray[np.float32]
    """(M, 2) x, y in pixels of the crop."""
    candidate: NDArray[np.float32]
    """(M, 2) x, y in pixels of the candidate."""


@dataclass(frozen=True, slots=True)
class _Agreement:
    """The keypoints of the query, and for each that of the candidate, which one mapping carries to their places."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    box: Box


def verify(
    query: Keypoints, query_size: tuple[int, int], candidate: Keypoints, candidate_size: tuple[int, int]
) -> Evidence:
    """What speaks for the query lying in the candidate; sizes are (width, height), the box is in candidate pixels.

    The mapping is the homography of MAGSAC++ (Barath et al., CVPR 2020). It is found with both pictures scaled to
    their standard sides, so that thresholds mean the same at every resolution; same input, same answer.
    """
    found = _agreement(query, query_size, candidate, candidate_size)
    return Evidence(len(found.rows), found.box) if found else NOTHING


def verify_all(
    query: Keypoints,
    query_size: tuple[int, int],
    candidates: Sequence[int],
    read: Callable[[int], tuple[Keypoints, tuple[int, int]]],
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Evidence]:
    """What `verify` says of each candidate, in order; `read` gives the keypoints and (width, height) of one.

    Best candidates come first: when `seconds` (TIME_BUDGET) are spent, the rest get NOTHING and are never read.
    THREADS share them out, so `read` is called by several at a time; the answers do not depend on how many.
    """
    end = clock() + (TIME_BUDGET if seconds is None else seconds)
    evidence = [NOTHING] * len(candidates)
    if len(query) < MIN_INLIERS or not candidates:
        return evidence
    waiting, turn = iter(enumerate(candidates)), threading.Lock()

    def take() -> tuple[int, int] | None:
        with turn:  # looking at the clock and taking the next one is one act: only the end of the list goes without
            return next(waiting, None) if clock() < end else None

    def work() -> None:
        while taken := take():
            place, candidate = taken
            evidence[place] = verify(query, query_size, *read(candidate))

    with ThreadPoolExecutor(THREADS) as pool:
        for worker in [pool.submit(work) for _ in range(THREADS)]:
            worker.result()
    return evidence


def matched_details(crop: Image, candidate: Keypoints, candidate_size: tuple[int, int]) -> Details:
    """The details on which `verify` rests its answer for a query crop (H, W, 3); none where it says NOTHING."""
    query, size = query_keypoints(crop)
    found = _agreement(query, size, candidate, candidate_size)
    if found is None:
        return Details(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))
    return Details(query.points[found.rows], candidate.points[found.columns])


def lift(inliers: int) -> float:
    """What verification adds to a ranking score, 0 to 1. It never lowers one: smooth objects have few keypoints."""
    return 0.0 if inliers < MIN_INLIERS else min((inliers - MIN_INLIERS + 1) / 10, 1.0)


def _agreement(
    query: Keypoints, query_size: tuple[int, int], candidate: Keypoints, candidate_size: tuple[int, int]
) -> _Agreement | None:
    """The largest one that a camera could have seen."""
    if len(query) < MIN_INLIERS or len(candidate) < MIN_INLIERS:
        return None
    query_scale, scale = QUERY_SIDE / max(query_size), _CANDIDATE_SIDE / max(candidate_size)
    rows, columns = _matches(query.descriptors, candidate.descriptors)
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
    return _Agreement(rows[inliers], columns[inliers], box) if box.width >= 1 and box.height >= 1 else None


def _matches(query: NDArray[np.uint8], candidate: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of query (K, 128) and of candidate (L >= 2, 128) that pass Lowe's ratio test, both (M,), best first.

    Every number is an integer below 2**24, exact in float32: however BLAS adds up, the distances are the same.
    """
    a, b = query.astype(np.float32), candidate.astype(np.float32)
    squares = -2 * a @ b.T
    squares += np.einsum("ij,ij->i", b, b)  # (K, L), squared distance but for the length of a
    rows = np.arange(len(a))
    nearest = squares.argmin(axis=1)
    lengths = np.einsum("ij,ij->i", a, a)
    best = squares[rows, nearest] + lengths
    squares[rows, nearest] = np.inf
    passed = best < _RATIO**2 * (squares.min(axis=1) + lengths)
    order = np.argsort(best[passed], kind="stable")
    return rows[passed][order], nearest[passed][order]


def _first_of_each(places: NDArray[np.float32]) -> NDArray[np.intp]:
    """Which of the places (N, 2) are met for the first time, in that order.

    A detail with two orientations, or one that a pattern matches over and over, is one place: else a mapping that
    squeezes everything into it collects more inliers than the true one.
    """
    _, first = np.unique(places @ (1, 1j), return_index=True)  # a number each, so that unique is quick
    return np.sort(first)


def _magsac() -> cv2.UsacParams:
    """What cv2.USAC_MAGSAC stands for in findHomography, spelled out so that no default of a release moves it."""
    settings = cv2.UsacParams()
    settings.score, settings.sampler = cv2.SCORE_METHOD_MAGSAC, cv2.SAMPLING_UNIFORM
    settings.loMethod, settings.loSampleSize, settings.loIterations = cv2.LOCAL_OPTIM_SIGMA, 75, 15
    settings.threshold, settings.confidence, settings.maxIterations = _TOLERANCE, 0.99, 500
    settings.randomGeneratorState, settings.isParallel = 0, False
    return settings


def _determine(points: NDArray[np.float32]) -> bool:
    """Whether points (N, 2) fix a homography: no line may hold all but one of them, give or take _STRIP pixels."""
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    outer = centred[:, :, None] * centred[:, None, :]
    without = outer.sum(axis=0) - outer * len(points) / (len(points) - 1)  # (N, 2, 2) scatter when one is left out
    return bool(np.linalg.eigvalsh(without)[:, 0].min() >= (len(points) - 1) * _STRIP**2)


def _outline(mapping: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64] | None:
    """Where the mapping (3, 3) puts the corners of a width x height rectangle, (4, 2); None where no camera could."""
    x, y, depth = mapping @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]])
    if (depth * depth[0]).min() <= 1e-6 * depth[0] ** 2:  # the horizon cuts it; with one sign of depth it stays convex
        return None
    x, y = x / depth, y / depth
    area = (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2  # negative when mirrored
    return np.stack([x, y], axis=1) if _AREA[0] <= area / (width * height) <= _AREA[1] else None
