"""One exact vector search: the region of each image that is nearest to a descriptor."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.ranking.confidence import BackgroundScores
from retrieval.ranking.diffusion import Graph
from retrieval.ranking.keypoints import Keypoints
from retrieval.types import Box, ClassScores, Hit, Image, Numbers, Query, Region, Rows, Scores, Vectors


class Searchable(Protocol):
    """What a ranking needs of a gallery, or of the part of it that is searched.

    Region vectors go by their row, images by their number in order of ids; in a part they keep those of the whole.
    """

    @property
    def region_count(self) -> int:
        """How many regions are searched."""

    @property
    def rows(self) -> range:
        """The rows of the regions that are searched."""

    @property
    def class_scores(self) -> ClassScores:
        """What every region of the whole gallery was taken for."""

    @property
    def fetch(self) -> int:
        """How many of them a search for images asks for at first, at least."""

    @property
    def image_count(self) -> int:
        """How many images are searched."""

    @property
    def background(self) -> BackgroundScores:
        """What images score that do not hold what is asked for."""

    @property
    def graph(self) -> Graph:
        """Which regions are each other's nearest."""

    def nearest(self, descriptor: Vectors, count: int) -> tuple[Rows, Scores]:
        """The `count` most similar of the vectors searched, best first. (D,) -> rows (count,), scores (count,)."""

    def vectors(self, rows: Rows) -> Vectors:
        """(R,) -> (R, D)."""

    def images_of(self, rows: Rows) -> Numbers:
        """The number of the image each row belongs to."""

    def rows_of(self, image: int) -> Rows:
        """The rows of one image, ascending; there is at least one."""

    def name(self, image: int) -> str:
        """The image's id."""

    def number(self, name: str) -> int:
        """The image with that id."""

    def region(self, row: int) -> Region: ...

    def pixels(self, image: int, box: Box) -> Image:
        """What is in a box of an image, as small as its thumbnail shows it."""

    def keypoints(self, image: int) -> tuple[Keypoints, tuple[int, int]]:
        """The image's keypoints, in pixels of the original, and its (width, height)."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """Images, best first, each with its best region and that region's score: three arrays (M,)."""

    images: Numbers
    rows: Rows
    scores: Scores


def nearest_images(descriptor: Vectors, gallery: Searchable, top: int) -> Nearest:
    """The `top` images by the similarity of their best region, all of them for 0; equal scores go by image number."""
    everything = gallery.region_count
    count = min(max(16 * top, gallery.fetch), everything) if top else everything
    while True:
        rows, scores = gallery.nearest(descriptor, count)
        images = gallery.images_of(rows)
        best = best_region_per_image(rows, scores, images)
        # Rows not fetched could still tie with the last one, so only images above it are certain.
        certain = np.count_nonzero(scores[best] > scores[-1]) if count < everything else len(best)
        if count == everything or certain >= top:
            best = best[: top or None]
            return Nearest(images[best], rows[best], scores[best])
        count = min(4 * count, everything)


def prefer_whole(hits: Sequence[Hit], query: Query, gallery: Searchable, near: float) -> list[Hit]:
    """The same hits; one whose whole picture is less similar than its region by at most `near` outlines that."""
    return [_as_whole(hit, query, gallery, near) if near else hit for hit in hits]


def _as_whole(hit: Hit, query: Query, gallery: Searchable, near: float) -> Hit:
    rows = gallery.rows_of(gallery.number(hit.image))
    whole = [row for row in rows.tolist() if gallery.region(row).kind == "whole"]
    if not whole or hit.region.kind == "verified":
        return hit
    similarity = float(gallery.vectors(np.array(whole[:1]))[0] @ query.descriptor)
    return replace(hit, region=gallery.region(whole[0])) if similarity >= hit.similarity - near else hit


def best_region_per_image(rows: Rows, scores: Scores, images: Numbers) -> NDArray[np.int64]:
    """Positions of each image's best region, best image first; ties by image, then by row."""
    order = np.lexsort((rows, images, -scores))
    first_of_image = np.sort(np.unique(images[order], return_index=True)[1])
    return np.asarray(order[first_of_image])


def best_region_of(image: int, descriptor: Vectors, gallery: Searchable) -> tuple[int, float]:
    """The row of the image's region that is nearest to a descriptor (D,), and its similarity."""
    rows = gallery.rows_of(image)
    similarities = gallery.vectors(rows) @ descriptor
    best = int(similarities.argmax())
    return int(rows[best]), float(similarities[best])
