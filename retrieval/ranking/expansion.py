"""Query expansion: add the best matches to the query."""

import numpy as np

from retrieval.ranking.region_search import Searchable, nearest_images
from retrieval.types import Vectors, unit

IMAGES = 20
ALPHA = 3.0
ROUNDS = 2


def expand(descriptor: Vectors, gallery: Searchable) -> Vectors:
    """Alpha query expansion (Radenović et al., TPAMI 2018) with matched regions. (D,) -> (D,), unit length.

    Adds the best region of each of the nearest images, weighted by its similarity to the power of alpha, which
    suppresses doubtful matches. Only the matched region is added, not the rest of its image.
    """
    expanded = descriptor
    for _ in range(ROUNDS):
        found = nearest_images(expanded, gallery, min(IMAGES, gallery.image_count))
        weights = np.clip(found.scores, 0, None) ** ALPHA
        expanded = unit(np.asarray(descriptor + weights @ gallery.vectors(found.rows), np.float32))
    return expanded


def expand_with(descriptor: Vectors, certain: Vectors) -> Vectors:
    """Sum of the query (D,) and verified regions (K, D) with equal weights -> (D,), unit length."""
    return unit(descriptor + certain.sum(axis=0))
