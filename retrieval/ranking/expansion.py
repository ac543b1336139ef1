"""Query expansion: add the best matches to the query."""

import numpy as np

from retrieval.ranking.region_search import Searchable, nearest_images
from retrieval.types import Vectors, unit

IMAGES = 20
ALPHA = 3.0
ROUNDS = 2
ENOUGH = 10
"""Certain matches from which on the nearest images are not needed."""


def expand(descriptor: Vectors, gallery: Searchable) -> Vectors:
    """Alpha query expansion (Radenović et al., TPAMI 2018) with matched regions. (D,) -> (D,), unit length.

    Adds the best region of each of the nearest images, weighted by its similarity to the power of alpha, which
    suppresses doubtful matches. Only the matched region is added, not the rest of its image.
    """
    return expand_with(descriptor, np.zeros((0, len(descriptor)), np.float32), gallery)


def expand_with(descriptor: Vectors, certain: Vectors, gallery: Searchable) -> Vectors:
    """Add verified regions (K, D) with equal weights. (D,) -> (D,), unit length.

    If there are fewer than ENOUGH, the nearest images are added as in `expand`, the less the more there are.
    """
    joined = np.asarray(descriptor + certain.sum(axis=0), np.float32)
    share = max(1 - len(certain) / ENOUGH, 0)
    expanded = unit(joined) if len(certain) else descriptor
    for _ in range(ROUNDS if share else 0):
        found = nearest_images(expanded, gallery, min(IMAGES, gallery.image_count))
        weights = share * np.clip(found.scores, 0, None) ** ALPHA
        expanded = unit(np.asarray(joined + weights @ gallery.vectors(found.rows), np.float32))
    return expanded
