"""Choose the region of each labelled image that shows its object, with or without a labelled box."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from boxfind.finetuning.features import RawRegions, best_regions
from boxfind.finetuning.labels import Labelled
from retrieval.types import Numbers, Rows, Vectors, iou

CLOSEST = 0.5
"""Share of an object's other images that a region is compared with; in the rest the object may look different."""


@dataclass(frozen=True, slots=True)
class ObjectRegions:
    """Three arrays (M,): image number, object number, and row of the region that shows the object."""

    images: Numbers
    objects: Numbers
    rows: Rows


def choose_regions(labelled: Sequence[Labelled], raw: RawRegions, descriptors: Vectors) -> ObjectRegions:
    """Choose the region with the best IoU with the labelled box, or without one the most similar to other images.

    Similarity is the mean over the closest of the object's other images. descriptors (N, D) are of the regions in
    `raw`. The result is sorted by label.
    """
    labelled = sorted(labelled, key=lambda row: row.label)
    _, objects = np.unique([row.label for row in labelled], return_inverse=True)
    numbers = {name: number for number, name in enumerate(raw.names)}
    images = np.array([numbers[row.image] for row in labelled], np.int64)
    rows = []
    for row, image, object_ in zip(labelled, images, objects, strict=True):
        inside = raw.rows_of(image)
        if row.box is not None:
            fit = np.array([iou(box, row.box) for box in raw.boxes[inside]])
        else:
            others = images[(objects == object_) & (images != image)]
            scores = -np.sort(-best_regions(descriptors[inside], raw, descriptors, others)[1], axis=1)
            fit = scores[:, : max(1, int(CLOSEST * len(others)))].mean(axis=1)
        rows.append(inside.start + fit.argmax())
    return ObjectRegions(images, objects, np.array(rows, np.int64))
