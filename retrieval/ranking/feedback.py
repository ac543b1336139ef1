"""Relevance feedback: move the query towards positive and away from negative images."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from retrieval.ranking.region_search import Searchable, best_region_of
from retrieval.types import Query, Vectors, unit

TOWARDS, AWAY = 2.0, 1.0
"""Weights of the mean positive and the mean negative region, relative to the query."""


def refine(query: Query, positives: Sequence[int], negatives: Sequence[int], gallery: Searchable) -> Query:
    """Rocchio's rule (1971) on matched regions. `positives` and `negatives` are image numbers.

    Only the region most similar to the query counts for each image, because that is what the user judged. Without
    images the query is unchanged.
    """
    if not positives and not negatives:
        return query
    towards, away = _mean(query.descriptor, positives, gallery), _mean(query.descriptor, negatives, gallery)
    return replace(query, descriptor=unit(query.descriptor + TOWARDS * towards - AWAY * away))


def _mean(descriptor: Vectors, images: Sequence[int], gallery: Searchable) -> Vectors:
    """The mean (D,) of each image's region most similar to a descriptor (D,); zero without images."""
    if not images:
        return np.zeros_like(descriptor)
    rows = np.array([best_region_of(image, descriptor, gallery)[0] for image in images])
    return np.asarray(gallery.vectors(rows).mean(axis=0), np.float32)
