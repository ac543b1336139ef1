"""Relevance feedback: pictures called right pull the query towards them, those called wrong push it away."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from retrieval.ranking.region_search import Searchable, best_region_of
from retrieval.types import Query, Vectors, unit

TOWARDS, AWAY = 2.0, 1.0
"""What the mean of the right and of the wrong regions weighs beside the query."""


def refine(query: Query, positives: Sequence[int], negatives: Sequence[int], gallery: Searchable) -> Query:
    """Rocchio's rule (1971) on matched regions; `right` and `wrong` are numbers of images.

    Of each image only the region most similar to the query counts: it is what was judged, not the rest of the picture.
    Without any image the query stays the same.
    """
    if not positives and not negatives:
        return query
    towards, away = _mean(query.descriptor, positives, gallery), _mean(query.descriptor, negatives, gallery)
    return replace(query, descriptor=unit(query.descriptor + TOWARDS * towards - AWAY * away))


def _mean(descriptor: Vectors, images: Sequence[int], gallery: Searchable) -> Vectors:
    """Of the regions that are most similar to a descriptor (D,), one an image: (D,); zero without images."""
    if not images:
        return np.zeros_like(descriptor)
    rows = np.array([best_region_of(image, descriptor, gallery)[0] for image in images])
    return np.asarray(gallery.vectors(rows).mean(axis=0), np.float32)
