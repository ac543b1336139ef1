"""Learn descriptor whitening from the gallery, without labels."""

from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from retrieval.blas_threads import in_threads
from retrieval.types import Numbers, Vectors, unit

SAMPLE = 60_000
"""Maximum training vectors; a build keeps no more than these in memory."""
MINED_QUERIES = 20_000
"""How many of the training vectors are used as queries to mine pairs."""
MINED_DIMENSIONS = 128
MINED_NEIGHBOURS = 3
MINED_SIMILARITY = (0.5, 0.4)
"""Minimum similarity of a mined pair, first in the PCA space, then in the first learned space."""
MIN_PAIRS = 300
"""With fewer mined pairs their covariance is unreliable, and PCA is used instead."""
MIN_PCA_VECTORS = 2_000
"""With fewer region vectors (about 130 pictures) PCA is harmful, and vectors are only centred."""
MIN_IMAGES = 3
"""With fewer images vectors are left unchanged, because the mean is the image itself."""
SHRINKAGE = 1e-2
"""Eigenvalues are raised to at least this share of the largest one."""
PCA_SHRINKAGE = 0.3
"""The same for PCA whitening, stronger because without mined pairs weak directions may be noise."""
IDENTICAL_WITHIN = 1e-5
"""Vectors that differ by less count as identical, because centring would leave nothing."""
EPSILON = 1e-12
"""Avoids division by zero for a gallery of one flat colour."""
BLOCK_ROWS, COVARIANCE_ROWS = 256, 4096


@dataclass(frozen=True, slots=True)
class Whitening:
    """Centring and linear projection. `kind` is contrastive, mined, pca, centre, identity, none or finetuned."""

    kind: str
    mean: Vectors  # (C,)
    projection: Vectors  # (C, D)

    def apply(self, vectors: Vectors) -> Vectors:
        """(..., C) -> (..., D), unit length."""
        centred: Vectors = unit(vectors) - self.mean
        return unit(centred @ self.projection)


def no_whitening(channels: int) -> Whitening:
    """A whitening that leaves vectors (C,) unchanged."""
    return Whitening("none", np.zeros(channels, np.float32), np.eye(channels, dtype=np.float32))


def learn_whitening(vectors: Vectors, images: Numbers, dimensions: int) -> Whitening:
    """Learn mined-pair whitening if the gallery has enough pairs, else PCA whitening, else only centring.

    vectors (N, C) are region vectors before whitening; images (N,) are their images. Mined-pair whitening is an
    unsupervised form of the learned whitening of Radenović et al. (TPAMI 2018). Regions of different images that are
    similar after PCA whitening are assumed to show the same object. The covariance of their differences is noise and is
    whitened; PCA of the result is cut to `dimensions`. Better pairs are then mined in the new space and give the final
    projection.
    """
    channels = vectors.shape[1]
    centred = unit(vectors)
    if len(np.unique(images)) < MIN_IMAGES or np.ptp(centred, axis=0).max() < IDENTICAL_WITHIN:
        return replace(no_whitening(channels), kind="identity")
    rng = np.random.default_rng(0)
    mean = centred.mean(axis=0)
    centred -= mean
    covariance = _covariance(centred, rng.permutation(len(centred))[:MINED_QUERIES])
    projection = _principal_axes(covariance, MINED_DIMENSIONS, SHRINKAGE)
    kind = "pca"
    for similarity in MINED_SIMILARITY:
        left, right = _mine_pairs(unit(centred @ projection), images, similarity, rng)
        if len(left) < MIN_PAIRS:
            break
        levelled = _inverse_root(_covariance(centred, left, right))  # (C, C)
        spread: Vectors = np.linalg.multi_dot([levelled, covariance, levelled])
        projection, kind = levelled @ _principal_axes(spread, dimensions), "mined"
    if kind == "mined":
        return Whitening("mined", mean, projection)
    if len(centred) < MIN_PCA_VECTORS:
        return Whitening("centre", mean, np.eye(channels, dtype=np.float32))
    return Whitening("pca", mean, _principal_axes(covariance, dimensions, PCA_SHRINKAGE))


def _covariance(vectors: Vectors, rows: Numbers, others: Numbers | None = None) -> Vectors:
    """(C, C): the mean outer product of rows of vectors (N, C), or of their differences to other rows.

    Takes few rows at a time: all pairs of a gallery would take a gigabyte.
    """
    total: Vectors = np.zeros((vectors.shape[1], vectors.shape[1]), np.float32)
    for start in range(0, len(rows), COVARIANCE_ROWS):
        block = slice(start, start + COVARIANCE_ROWS)
        part = vectors[rows[block]]
        if others is not None:
            part -= vectors[others[block]]
        total += part.T @ part
    return np.asarray(total / len(rows), np.float32)


def _mine_pairs(
    vectors: Vectors, images: Numbers, similarity: float, rng: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """Rows (left, right) of similar regions in different images: the best region of each of the 3 nearest images."""
    queries = np.sort(rng.permutation(len(vectors))[:MINED_QUERIES])

    def pairs_of(block: Numbers) -> tuple[Numbers, Numbers]:
        similar = vectors[block] @ vectors.T  # (BLOCK_ROWS, N)
        left, right = np.nonzero(similar > similarity)
        elsewhere = images[block[left]] != images[right]
        left, right = left[elsewhere], right[elsewhere]
        best_first = np.lexsort((right, -similar[left, right], left))
        left, right = left[best_first], right[best_first]
        once_per_image = np.sort(np.unique(left * (images.max() + 1) + images[right], return_index=True)[1])
        left, right = left[once_per_image], right[once_per_image]
        place = np.arange(len(left)) - np.searchsorted(left, left)
        near = place < MINED_NEIGHBOURS
        return block[left[near]], right[near]

    blocks = [queries[start : start + BLOCK_ROWS] for start in range(0, len(queries), BLOCK_ROWS)]
    with closing(in_threads(pairs_of, blocks)) as pairs:
        left, right = map(np.concatenate, zip(*pairs, strict=True))
    return left, right


def _principal_axes(covariance: Vectors, count: int, shrinkage: float | None = None) -> Vectors:
    """The top `count` eigenvectors, (C, C) -> (C, count); with `shrinkage`, also scaled to unit variance."""
    channels = len(covariance)
    wanted = (max(channels - count, 0), channels - 1)
    values, axes = linalg.eigh(covariance, subset_by_index=wanted)
    values, axes = values[::-1], axes[:, ::-1]
    if shrinkage is not None:
        axes = axes / np.sqrt(np.maximum(values, values[0] * shrinkage) + EPSILON)
    return np.asarray(axes, dtype=np.float32)


def _inverse_root(covariance: Vectors) -> Vectors:
    values, axes = linalg.eigh(covariance)
    values = np.maximum(values, values[-1] * SHRINKAGE) + EPSILON
    return np.asarray((axes / np.sqrt(values)) @ axes.T, dtype=np.float32)
