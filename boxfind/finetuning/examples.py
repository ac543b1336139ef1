"""Make training examples: anchor regions with positive regions from other images, labelled or mined."""

from dataclasses import dataclass

import numpy as np

from boxfind.finetuning.features import RawRegions, best_regions
from boxfind.finetuning.region_selection import ObjectRegions
from retrieval.types import Numbers, Progress, Rows, Scores, Vectors, unit

ANCHORS = 6_000
"""Number of random regions that positives are mined for without labels."""
EXPANSIONS = ((5, 0.4), (10, 0.5))
"""Query expansion rounds: (number of images, minimum similarity)."""
FEWEST_NEIGHBOURS = 2
"""Anchors with fewer neighbours are dropped; their object probably does not recur."""
POSITIVES, SIMILAR = 15, 0.5
"""Maximum number of positive images after the last round, and their minimum similarity."""
DOUBTFUL = 30
"""Number of nearest images that are never used as negatives, since they may show the same object."""
BLOCK = 256
NONE = -1
"""Padding in index arrays."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Anchors with positives; all other regions are negatives, except those of the images in `doubtful`."""

    anchors: Rows  # (A,)
    positives: Rows  # (A, P)
    doubtful: Numbers  # (A, Q) images, including the anchor's own


def labelled_examples(chosen: ObjectRegions, raw: RawRegions, descriptors: Vectors) -> Examples:
    """Pair each chosen region with the nearest region of each other image of its object. descriptors (N, D)."""
    most = int(np.bincount(chosen.objects).max())
    positives = np.full((len(chosen.rows), most), NONE)
    doubtful = np.full((len(chosen.rows), most), NONE)
    for object_ in np.unique(chosen.objects):
        mine = np.flatnonzero(chosen.objects == object_)
        rows, _ = best_regions(descriptors[chosen.rows[mine]], raw, descriptors, chosen.images[mine])
        other = chosen.images[mine][:, None] != chosen.images[mine]
        positives[mine, : len(mine)] = np.where(other, rows, NONE)
        doubtful[mine, : len(mine)] = chosen.images[mine]
    return Examples(chosen.rows, positives, doubtful)


def mined_examples(raw: RawRegions, descriptors: Vectors, progress: Progress, seed: int = 0) -> Examples:
    """Pair random regions with the results of repeated query expansion; uses no labels.

    Expansion reaches images that the anchor alone does not, which makes hard positives, as in Mining on Manifolds
    (Iscen et al., CVPR 2018). descriptors (N, D) are of all regions in `raw`.
    """
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(len(descriptors))[:ANCHORS])
    blocks = []
    for start in range(0, len(drawn), BLOCK):
        progress("Mining recurring objects", start, len(drawn))
        blocks.append(_mine(drawn[start : start + BLOCK], raw, descriptors))
    return Examples(*(np.concatenate([getattr(block, name) for block in blocks]) for name in Examples.__slots__))


def _mine(anchors: Rows, raw: RawRegions, descriptors: Vectors) -> Examples:
    own, asking = raw.images[anchors], descriptors[anchors]
    for count, similar in EXPANSIONS:
        rows, scores = _elsewhere(asking, own, raw, descriptors, count)
        weights = np.where(scores > similar, scores, 0) ** 3
        kept = (weights > 0).sum(axis=1) >= FEWEST_NEIGHBOURS
        anchors, own, asking, rows, weights = anchors[kept], own[kept], asking[kept], rows[kept], weights[kept]
        asking = unit(asking + np.einsum("ak,akd->ad", weights, descriptors[rows]))
    rows, scores = _elsewhere(asking, own, raw, descriptors, DOUBTFUL)
    positives = np.where(scores > SIMILAR, rows, NONE)[:, :POSITIVES]
    return Examples(anchors, positives, np.column_stack([own, raw.images[rows]]))


def _elsewhere(asking: Vectors, own: Numbers, raw: RawRegions, descriptors: Vectors, count: int) -> tuple[Rows, Scores]:
    """Return the best regions of the `count` nearest other images, best first: two arrays (A, up to count)."""
    similar = asking @ descriptors.T  # (A, N)
    scores = np.maximum.reduceat(similar, raw.starts, axis=1)  # (A, images)
    scores[np.arange(len(own)), own] = -2  # below any similarity
    nearest = np.argsort(-scores, axis=1, kind="stable")[:, : min(count, len(raw.names) - 1)]
    rows = np.empty(nearest.shape, np.int64)
    for anchor, pictures in enumerate(nearest):
        for place, picture in enumerate(pictures):
            inside = raw.rows_of(picture)
            rows[anchor, place] = inside.start + similar[anchor, inside].argmax()
    return rows, np.take_along_axis(scores, nearest, 1)
