"""Query expansion: what is found first helps to find the rest."""

import numpy as np

from retrieval.ranking.region_search import Searchable, nearest_images
from retrieval.types import Vectors, unit

IMAGES = 20
ALPHA = 3.0
ROUNDS = 2


def expand(descriptor: Vectors, gallery: Searchable) -> Vectors:
    """Alpha query expansion (Radenović et al., TPAMI 2018) with matched regions. (D,) -> (D,).

    The best region of each of the nearest images joins the query, weighted by its similarity to the power of alpha:
    sure ones count, doubtful ones hardly. Only the region that matched is taken, not the rest of its picture.
    """
    expanded = descriptor
    for _ in range(ROUNDS):
        found = nearest_images(expanded, gallery, min(IMAGES, gallery.image_count))
        weights = np.clip(found.scores, 0, None) ** ALPHA
        expanded = unit(np.asarray(descriptor + weights @ gallery.vectors(found.rows), np.float32))
    return expanded


def expand_with(descriptor: Vectors, certain: Vectors) -> Vectors:
    """The query and regions that surely show the same object, each with the same weight. (D,) and (K, D) -> (D,)."""
    return unit(descriptor + certain.sum(axis=0))
