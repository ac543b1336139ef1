"""Find the object instances of a gallery that corrections of its groups name by content."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from index.gallery import Gallery
from retrieval.clustering.corrections import Correction
from retrieval.clustering.object_instances import ObjectInstances, with_regions
from retrieval.types import Box

SAME_OBJECT = 0.5
"""Minimum IoU of a place and a region that is not exactly there for both to be the same object."""


@dataclass(frozen=True, slots=True)
class Place:
    """An object in a picture, named by content: renamed files and new indexes do not change it."""

    sha256: str
    box: Box


@dataclass(frozen=True, slots=True)
class GroupCorrection:
    """One decision of an administrator about groups."""

    together: tuple[Place, ...] = ()
    """Objects of one group."""
    chosen: tuple[Place, ...] = ()
    remaining: tuple[Place, ...] = ()
    """Objects of the group that the chosen pictures were taken out of."""


@dataclass(frozen=True, slots=True)
class Located:
    """Corrections in numbers of object instances."""

    instances: ObjectInstances
    """With one more for each place of a correction that is part of none."""
    corrections: list[Correction]
    moved: frozenset[int]
    """Instances that an administrator put into their group one by one."""


def row_at(gallery: Gallery, image: int, box: Box) -> int:
    """The vector row of the region of an image that is nearest to a box."""
    rows = gallery.tables.rows_of(image)
    return rows[int(_overlaps(gallery.tables.boxes[rows.start : rows.stop], box).argmax())]


def similar_first(gallery: Gallery, place: tuple[str, Box], others: Sequence[tuple[str, Box]]) -> list[int]:
    """Positions of `others`, the objects most similar to the one at `place` first."""
    rows = [row_at(gallery, gallery.number(image), box) for image, box in (place, *others)]
    vectors = gallery.vectors(np.array(rows))
    return [int(number) for number in np.argsort(-(vectors[1:] @ vectors[0]), kind="stable")]


def locate(gallery: Gallery, instances: ObjectInstances, corrections: Sequence[GroupCorrection]) -> Located:
    """Find the instances of all places. Pictures that are not in the gallery are left out."""
    named = [place for c in corrections for place in (*c.together, *c.chosen, *c.remaining)]
    finder = _Finder(gallery, instances, gallery.tables.all_with_contents(place.sha256 for place in named))
    found = {place: finder.instances_at(place) for place in dict.fromkeys(named)}

    def at(places: Iterable[Place]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(instance for place in places for instance in found[place]))

    numbered, moved = [], set[int]()
    for correction in corrections:
        together, chosen = at(correction.together), at(correction.chosen)
        whole = finder.of_same_images(chosen) if correction.remaining else ()
        numbered.append(Correction(together, whole, at(correction.remaining)))
        moved |= set(together) & set(chosen)
    return Located(finder.all_instances(), numbered, frozenset(moved))


@dataclass(slots=True)
class _Finder:
    """Finds instances by place, and numbers additional ones."""

    gallery: Gallery
    found: ObjectInstances
    images: dict[str, list[int]]
    added: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Vector row -> number and image of the additional instance."""

    def instances_at(self, place: Place) -> list[int]:
        """The instance in each image with the contents of the place."""
        return [self._instance(image, place.box) for image in self.images.get(place.sha256, ())]

    def of_same_images(self, instances: Sequence[int]) -> tuple[int, ...]:
        """All instances of the images that have one of `instances`: the images, whatever their box."""
        images = {self._image(instance) for instance in instances}
        bounds = [np.searchsorted(self.found.images, [image, image + 1]) for image in sorted(images)]
        known = [number for start, end in bounds for number in range(start, end)]
        return (*known, *(number for number, image in self.added.values() if image in images))

    def all_instances(self) -> ObjectInstances:
        return with_regions(self.found, [image for _, image in self.added.values()], list(self.added))

    def _image(self, instance: int) -> int:
        known = len(self.found.images)
        return int(self.found.images[instance]) if instance < known else list(self.added.values())[instance - known][1]

    def _instance(self, image: int, box: Box) -> int:
        """The instance of the region at a box of an image, or one close to it; otherwise an additional one."""
        rows, found = self.gallery.tables.rows_of(image), self.found
        overlaps = _overlaps(self.gallery.tables.boxes[rows.start : rows.stop], box)
        nearest = rows.start + int(overlaps.argmax())
        start, end = np.searchsorted(found.regions, [rows.start, rows.stop])
        known = found.regions[start:end]  # those that belong to an instance
        if len(known):
            closest = int(overlaps[known - rows.start].argmax())
            if known[closest] == nearest or overlaps[known[closest] - rows.start] >= SAME_OBJECT:
                return int(found.of_regions[start + closest])
        return self.added.setdefault(nearest, (len(found.images) + len(self.added), image))[0]


def _overlaps(boxes: NDArray[np.int32], box: Box) -> NDArray[np.float64]:
    """IoU of each of the boxes, (M, 4), with a box, (M,)."""
    low, high = np.maximum(boxes[:, :2], (box.x0, box.y0)), np.minimum(boxes[:, 2:], (box.x1, box.y1))
    common = np.clip(high - low, 0, None).prod(axis=1, dtype=np.float64)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1, dtype=np.float64)
    return np.asarray(common / (areas + float(box.width) * box.height - common), np.float64)
