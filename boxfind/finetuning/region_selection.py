"""Choose the region of each labelled image that shows its object, with or without a labelled box."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from boxfind.finetuning.features import RawRegions, best_regions
from boxfind.finetuning.labels import Labelled
from retrieval.types import Numbers, Rows, Scores, Vectors, iou

CLOSEST = 0.5
"""Share of an object's other images that a region is compared with; in the rest the object may look different."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Three arrays (M,): image number, object number, and row of the region that shows the object."""

    images: Numbers
    objects: Numbers
    rows: Rows

    def of(self, objects: Sequence[int]) -> "Shown":
        """Return the subset of some objects."""
        kept = np.isin(self.objects, objects)
        return Shown(self.images[kept], self.objects[kept], self.rows[kept])


def choose_regions(labelled: Sequence[Labelled], raw: RawRegions, descriptors: Vectors) -> Shown:
    """Choose the region with the best IoU with the labelled box, or without one the most similar to other images.

    Similarity is to the regions of the object's other images. descriptors (N, D) are of the regions in `raw`. Objects
    are numbered by sorted name. Images that are not in `raw` are left out.
    """
    numbers = {name: number for number, name in enumerate(raw.names)}
    labels = sorted({row.label for row in labelled})
    images, objects, rows = [], [], []
    for number, label in enumerate(labels):
        of_label = [row for row in labelled if row.label == label and row.image in numbers]
        pictures = np.array([numbers[row.image] for row in of_label], np.int64)
        for row, picture in zip(of_label, pictures, strict=True):
            inside = raw.rows_of(int(picture))
            if row.box is not None:
                fit = [iou(box, row.box) for box in raw.boxes[inside]]
            else:
                others = pictures[pictures != picture]
                fit = list(_likeness(descriptors[inside], raw, descriptors, others))
            images.append(int(picture))
            objects.append(number)
            rows.append(inside.start + int(np.argmax(fit)))
    return Shown(np.array(images, np.int64), np.array(objects, np.int64), np.array(rows, np.int64))


def _likeness(own: Vectors, raw: RawRegions, descriptors: Vectors, others: Numbers) -> Scores:
    """Mean similarity of each region to the closest of the other images. (R, D) -> (R,)."""
    scores = -np.sort(-best_regions(own, raw, descriptors, others)[1], axis=1)
    return np.asarray(scores[:, : max(1, int(CLOSEST * len(others)))].mean(axis=1))
