"""Appearance: lay a verified candidate over the query crop and compare colours and structure.

Keypoints are grey and local, so another variety of a product agrees with nearly as many as the product itself. The
homography of geometric verification maps the candidate's thumbnail into the frame of the crop, where both are compared
pixel by pixel. Where there is no homography, the colours of the matched region are compared with those of the crop.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retrieval.images.resize import resize_image
from retrieval.ranking.verification import Evidence, Homography, Points
from retrieval.types import Image

SIDE = 128
"""Longest side of the frame in which crop and candidate are compared, in pixels."""
USUAL_LIKENESS = 3.0
"""Likeness that a good picture of the query object has."""
LEVEL_PLACE = 4
LOWEST, HIGHEST = 4.0, 6.0
"""Likeness below and above the level of a query between which the score changes."""
WEIGHT = 0.4
"""Score for one unit of likeness."""
JOINING = 0.5
"""Images with a likeness this much below the level do not expand the query."""

COLOUR_SIDE = 32
"""Side of the frame in which colours are counted, in pixels."""
COLOUR_WEIGHT = 0.3
"""Score for the same colours without a homography, enough to break ties."""

_SMALLEST_SIDE = 48  # of the frame for a candidate that shows the object smaller
_ENLARGED = 4.0  # maximum upscaling of a small crop
_BLUR = 1.0  # pixels
_WINDOW = 21 / SIDE  # side of a window of local correlation, as a share of the frame
_SHIFTS = [(y, x) for y in (-2, 0, 2) for x in (-2, 0, 2)]  # local shifts at half the size of the frame, in pixels
_SHIFT_COST = 0.01  # of the correlation, for each pixel of a shift
_NOISE = 4.0  # variance of lightness, which is 0 to 100, in a window without structure
_COLOUR_NOISE = 9.0  # variance of a and b in a frame without colours
_CAST = 20.0  # Lab distance up to which a colour cast is forgiven
_FARTHEST = 40.0  # Lab distance beyond which colours are no more different
_DOUBTFUL = 0.05  # least weight of a visible pixel
_COLOUR_BINS = 8  # each for a and b, over the middle half of their range
_LAB_SCALE = np.array([100 / 255, 1, 1], np.float32)  # from the bytes of OpenCV; only differences of a and b count

Channel = NDArray[np.float32]
"""(h, w): one value for each pixel of a frame."""
Lab = NDArray[np.float32]
"""(h, w, 3): CIE Lab; lightness is 0 to 100."""
_Moments = tuple[Channel, Channel]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well a candidate agrees with the crop where it is visible. Light and a colour cast do not count."""

    structure: float
    """Mean local correlation of lightness, -1 to 1."""
    colour: float
    """Correlation of the colours, -1 to 1."""
    distance: float
    """Mean Lab distance of the colours, 0 to 40. Pixels count where structure or keypoints agree."""


def query_frame(crop: Image) -> Image:
    """A query crop (H, W, 3) in the size in which it is compared, at most SIDE pixels."""
    return _resized(crop, min(SIDE / max(crop.shape[:2]), _ENLARGED))


def compare(frame: Image, candidate: Image, homography: Homography, places: Points) -> Agreement:
    """Compare a query frame (h, w, 3) with a candidate (H, W, 3).

    `homography` and `places`, of the keypoints that agree, are those of the candidate's `Evidence`. A candidate that
    shows the object smaller is compared in a smaller frame, so that both are equally sharp. Deterministic.
    """
    to_pixels = np.diag([candidate.shape[1], candidate.shape[0], 1.0]) @ homography
    magnification = _magnification(to_pixels, frame)
    smallest = min(_SMALLEST_SIDE / max(frame.shape[:2]), 1.0)
    query = _resized(frame, float(np.clip(magnification, smallest, 1.0)))
    warped, visible = _warped(candidate, to_pixels, query, magnification)
    return _agreement(_lab(query), _lab(warped), visible, _hull(places, query))


def _agreement(query: Lab, other: Lab, visible: Channel, supported: Channel) -> Agreement:
    """The agreement of two frames, given where the second is visible and where keypoints support it, each 0 to 1.

    Structure is compared in place and in full size, colours at half the size and after small local shifts.
    """
    structure = _weighted_mean(_local_correlation(query[..., 0], other[..., 0], _window(query)), visible)
    query, other, visible, supported = (_halved(frame) for frame in (query, other, visible, supported))
    correlation, other = _shifted(query, other)
    weights = visible * np.maximum(np.maximum(correlation, supported), _DOUBTFUL)
    a, b = query[..., 1:], other[..., 1:]
    means = _weighted_mean(a, weights), _weighted_mean(b, weights)
    a, b, cast = a - means[0], b - means[1], means[1] - means[0]
    spreads = [float(_weighted_mean(np.square(x), weights).sum()) + _COLOUR_NOISE for x in (a, b)]
    colour = float(_weighted_mean(a * b, weights).sum() / np.sqrt(spreads[0] * spreads[1]))
    unforgiven = cast * max(1 - _CAST / max(float(np.linalg.norm(cast)), 1e-9), 0)
    distances = np.minimum(np.linalg.norm(b - a + unforgiven, axis=2), _FARTHEST)
    return Agreement(float(structure), colour, float(_weighted_mean(distances, weights)))


def _local_correlation(one: Channel, other: Channel, window: int) -> Channel:
    """Zero-mean normalised cross-correlation in a window around each pixel, (h, w), -1 to 1; 0 without structure."""
    return _correlation(one * other, _moments(one, window), _moments(other, window), window)


def _correlation(product: Channel, one: _Moments, other: _Moments, window: int) -> Channel:
    covariance = _local_mean(product, window) - one[0] * other[0]
    return np.asarray(np.clip(covariance * one[1] * other[1], -1, 1), np.float32)


def _shifted(query: Lab, other: Lab) -> tuple[Channel, Lab]:
    """Each pixel of the second frame from the nearby place where its surroundings match the first best.

    Allows for objects that are not flat. Also returns the local correlation at that shift.
    """
    height, width = query.shape[:2]
    window, reach = _window(query), max(_SHIFTS)[0]
    light = np.ascontiguousarray(query[..., 0])
    moments = _moments(light, window)
    wider = np.asarray(cv2.copyMakeBorder(other, reach, reach, reach, reach, cv2.BORDER_REPLICATE), np.float32)
    wider_light = np.ascontiguousarray(wider[..., 0])
    wider_moments = _moments(wider_light, window)
    correlations = []
    for y, x in _SHIFTS:
        place = np.s_[reach + y : reach + y + height, reach + x : reach + x + width]
        there = wider_moments[0][place], wider_moments[1][place]
        cost = _SHIFT_COST * (abs(y) + abs(x))
        correlations.append(_correlation(np.asarray(light * wider_light[place]), moments, there, window) - cost)
    stacked = np.stack(correlations)
    chosen = np.array(_SHIFTS)[stacked.argmax(axis=0)]  # (h, w, 2)
    down, across = np.mgrid[:height, :width] + reach
    return stacked.max(axis=0), wider[down + chosen[..., 0], across + chosen[..., 1]]


def _warped(candidate: Image, to_pixels: Homography, frame: Image, magnification: float) -> tuple[Image, Channel]:
    """The candidate's pixels for each pixel of a frame (h, w, 3), and where they lie inside the candidate (h, w)."""
    height, width = frame.shape[:2]
    if magnification > 1.5:  # otherwise every pixel is sampled
        candidate = np.asarray(cv2.GaussianBlur(candidate, (0, 0), 0.4 * magnification))
    centres = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # in OpenCV, centres of pixels are whole numbers
    between = np.linalg.inv(centres) @ to_pixels @ np.diag([1 / width, 1 / height, 1.0]) @ centres
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(candidate, between, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpPerspective(np.full(candidate.shape[:2], 255, np.uint8), between, (width, height), flags=how)
    return np.asarray(warped), np.asarray(inside / np.float32(255), np.float32)


def _magnification(to_pixels: Homography, frame: Image) -> float:
    """Pixels of the candidate for each pixel of a frame (h, w, 3), along a side, on average."""
    x, y, depth = to_pixels @ np.array([[0, 1, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1.0]])
    x, y = x / depth, y / depth
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    return float(np.sqrt(area / (frame.shape[0] * frame.shape[1])))


def _hull(places: Points, frame: Image) -> Channel:
    """1 in the convex hull of the places of a frame (h, w, 3), 0 far from it, (h, w)."""
    height, width = frame.shape[:2]
    corners = cv2.convexHull(np.round(places * (width, height)).astype(np.int32)[:, None])
    inside = cv2.fillConvexPoly(np.zeros((height, width), np.float32), corners, 1)
    return _local_mean(np.asarray(inside, np.float32), _window(frame))


def _window(frame: NDArray[np.generic]) -> int:
    """Side of a window of local correlation in a frame (h, w, 3), in pixels; an odd number."""
    return max(int(_WINDOW * max(frame.shape[:2]) + 0.5) | 1, 5)


def _lab(image: Image) -> Lab:
    """A slightly blurred image (h, w, 3)."""
    blurred = cv2.GaussianBlur(image, (0, 0), _BLUR)
    return np.asarray(cv2.cvtColor(blurred, cv2.COLOR_RGB2LAB) * _LAB_SCALE)


def _resized(image: Image, scale: float) -> Image:
    height, width = image.shape[:2]
    return resize_image(image, max(round(width * scale), 16), max(round(height * scale), 16))


def _moments(channel: Channel, window: int) -> _Moments:
    """The mean of each window and the reciprocal of its standard deviation, with noise, both (h, w)."""
    mean = _local_mean(channel, window)
    variance = np.maximum(_local_mean(channel * channel, window) - mean * mean, 0)
    return mean, np.asarray(1 / np.sqrt(variance + _NOISE), np.float32)


def _local_mean(channel: Channel, window: int) -> Channel:
    return np.asarray(cv2.blur(channel, (window, window), borderType=cv2.BORDER_REFLECT))


def _halved(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = frame.shape[:2]
    return np.asarray(cv2.resize(frame, (width // 2, height // 2), interpolation=cv2.INTER_AREA))


def _weighted_mean(values: NDArray[np.float32], weights: Channel) -> NDArray[np.float32]:
    """Mean over the pixels of values (h, w) or (h, w, C), () or (C,)."""
    means = weights.ravel() @ values.reshape(weights.size, -1) / max(float(weights.sum()), 1e-9)
    return np.asarray(means if values.ndim > 2 else means[0], np.float32)


def likeness(agreement: Agreement, evidence: Evidence) -> float:
    """How much an aligned candidate looks like the query object: about 2 if it is that object, 0 if a similar one.

    Keypoints count in full: twice as many inliers weigh as much as 0.4 more structure or colour.
    """
    colours = 3 * agreement.colour - 0.18 * (agreement.distance - 14)
    keypoints = 2 * evidence.cover + 1.25 * np.log2(max(evidence.inliers, 1) / 20)
    return float(3 * agreement.structure + colours + keypoints - 2)


def colour_shares(image: Image) -> Channel:
    """How often each colour occurs in an image (H, W, 3), more in its middle; light does not count. (8, 8), sum 1."""
    side = COLOUR_SIDE
    blurred = cv2.GaussianBlur(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), (0, 0), _BLUR)
    lab = cv2.cvtColor(blurred, cv2.COLOR_RGB2LAB).astype(np.int64)  # a and b are 0 to 255, and 128 without colour
    bins = np.clip((lab[..., 1:] - 64) * _COLOUR_BINS // 128, 0, _COLOUR_BINS - 1)
    edge = np.hanning(side + 2)[1:-1]
    counts = np.bincount((bins @ (_COLOUR_BINS, 1)).ravel(), np.outer(edge, edge).ravel(), _COLOUR_BINS**2)
    return np.asarray(counts.reshape(_COLOUR_BINS, _COLOUR_BINS) / counts.sum(), np.float32)


def colour_score(one: Channel, other: Channel) -> float:
    """The score part for the colour shares (8, 8) of crop and region: 0 without a common colour."""
    return COLOUR_WEIGHT * float(np.sqrt(one * other).sum())


def level_of(likenesses: Sequence[float]) -> float:
    """The likeness expected of this query's object: the fourth highest, at most USUAL_LIKENESS.

    Pictures of some objects are less like the crop than others. The first few may be copies of the query's picture.
    """
    highest = sorted(likenesses, reverse=True)[:LEVEL_PLACE]
    return min([*highest[-1:], USUAL_LIKENESS])


def appearance_score(likeness: float, level: float) -> float:
    """The score part for a likeness: 0 for what is aligned and differs, most for what looks like the query object."""
    return WEIGHT * (float(np.clip(likeness - level, -LOWEST, HIGHEST)) + LOWEST)


def alike_share(likeness: float, level: float) -> float:
    """1 for what looks like the query object, 0 for what is less alike by a likeness of 1 or more."""
    return float(np.clip(1 + likeness - level, 0, 1))
