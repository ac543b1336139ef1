"""Find regions of different images that show the same object, by similarity and keypoints, without labels."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from retrieval.blas_threads import in_threads
from retrieval.ranking.keypoints import Keypoints
from retrieval.ranking.verification import Evidence, verify_all
from retrieval.types import Box, Numbers, Rows, Vectors, iou

ANCHORS_PER_IMAGE, MAX_ANCHORS = 0.25, 500
"""Random regions whose partners are sought; their number bounds the time."""
NEAR = 30
"""Nearest images of an anchor. They are never its negatives, because they may show the same object."""
VERIFIED = 15
"""Of those, images whose keypoints are compared with those of the anchor."""
MIN_INLIERS = 8
"""Fewer than for a likely hit, because a few wrong pairs do no harm."""
MIN_OVERLAP = 0.4
"""Minimum IoU of a partner with the place where the keypoints find the anchor."""
NONE = -1
"""Padding of partners."""
BLOCK_ROWS = 64

ReadKeypoints = Callable[[int], tuple[Keypoints, tuple[int, int]]]
"""Image number -> its keypoints, in pixels, and its (width, height)."""


@dataclass(frozen=True, slots=True)
class VerifiedPairs:
    """Anchors that have at least one partner, the rows of their partners, and the images near them."""

    anchors: Rows  # (A,)
    partners: Rows  # (A, VERIFIED), best first, padded with NONE
    near: Numbers  # (A, up to NEAR + 1) image numbers, that of the anchor first


def find_verified_pairs(
    descriptors: Vectors, images: Numbers, boxes: Sequence[Box], read: ReadKeypoints
) -> VerifiedPairs:
    """Pair random regions with the regions of the nearest images where keypoints find them.

    descriptors (N, D); images (N,) are the image numbers, 0, 1, … in ascending order; N boxes are in pixels of their
    image. The partner in an image is the region that overlaps most with the place of the anchor there, however similar
    it is: pairs that are not similar yet teach most. `read` is called in the calling thread only. Deterministic.
    """
    count = min(round(ANCHORS_PER_IMAGE * (images[-1] + 1)), MAX_ANCHORS)
    anchors = np.sort(np.random.default_rng(0).permutation(len(images))[:count])
    starts = np.searchsorted(images, np.arange(images[-1] + 2))
    near = _nearest_images(descriptors, images, starts[:-1], anchors)
    partners = np.full((len(anchors), VERIFIED), NONE)
    for place, (anchor, candidates) in enumerate(zip(anchors, near[:, 1 : VERIFIED + 1].tolist(), strict=True)):
        keypoints, size = _inside(boxes[anchor], read(images[anchor])[0])
        loaded = {image: read(image) for image in candidates}
        found = verify_all(keypoints, size, candidates, loaded.__getitem__, float("inf"))
        for column, (image, evidence) in enumerate(zip(candidates, found, strict=True)):
            partners[place, column] = _partner(evidence, boxes, range(*starts[image : image + 2]))
    paired = (partners != NONE).any(axis=1)
    return VerifiedPairs(anchors[paired], partners[paired], near[paired])


def _nearest_images(descriptors: Vectors, images: Numbers, starts: Rows, anchors: Rows) -> Numbers:
    """The image of each anchor, and the NEAR other ones with the most similar regions, best first."""

    def nearest(block: Rows) -> Numbers:
        best = np.maximum.reduceat(descriptors[block] @ descriptors.T, starts, axis=1)  # (BLOCK_ROWS, images)
        best[np.arange(len(block)), images[block]] = 2  # above any similarity
        return np.asarray(np.argsort(-best, axis=1, kind="stable")[:, : NEAR + 1])

    blocks = [anchors[start : start + BLOCK_ROWS] for start in range(0, len(anchors), BLOCK_ROWS)]
    with closing(in_threads(nearest, blocks)) as parts:
        return np.concatenate(list(parts))


def _inside(box: Box, keypoints: Keypoints) -> tuple[Keypoints, tuple[int, int]]:
    """The keypoints inside a box, in its coordinates, and its size."""
    places = keypoints.points - np.array([box.x0, box.y0], np.float32)
    inside = ((places >= 0) & (places < [box.width, box.height])).all(axis=1)
    return Keypoints(places[inside], keypoints.descriptors[inside]), (box.width, box.height)


def _partner(evidence: Evidence, boxes: Sequence[Box], rows: range) -> int:
    """The row, of those of one image, whose box overlaps most with the place that was found; NONE without a match."""
    if evidence.box is None or evidence.inliers < MIN_INLIERS:
        return NONE
    place = evidence.box
    best = max(rows, key=lambda row: iou(boxes[row], place))
    return best if iou(boxes[best], place) >= MIN_OVERLAP else NONE
