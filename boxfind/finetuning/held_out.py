"""Measure retrieval quality on held-out objects."""

import numpy as np

from boxfind.evaluation.metrics import Quality, mean_quality, rate
from boxfind.finetuning.features import RawRegions
from boxfind.finetuning.region_selection import Shown
from retrieval.types import Vectors

BLOCK = 128


def measure(shown: Shown, raw: RawRegions, descriptors: Vectors) -> Quality:
    """Use each region that shows an object as a query; images with the same label are relevant.

    Images are ranked by their best region, like the ranking `fast`; the query image is ignored. descriptors (N, D)
    are of all regions in `raw`.
    """
    names = np.array(raw.names, dtype=object)
    qualities = []
    for start in range(0, len(shown.rows), BLOCK):
        part = slice(start, start + BLOCK)
        scores = np.maximum.reduceat(descriptors[shown.rows[part]] @ descriptors.T, raw.starts, axis=1)
        rankings = names[np.argsort(-scores, axis=1, kind="stable")]
        for image, object_, ranking in zip(shown.images[part], shown.objects[part], rankings, strict=True):
            asking = {raw.names[image]}
            right = set(names[shown.images[shown.objects == object_]]) - asking
            qualities.append(rate(list(ranking), right, asking))
    return mean_quality(qualities)
