"""Vector search over regions, grouped by image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.ranking.confidence import BackgroundScores
from retrieval.ranking.diffusion import Graph
from retrieval.ranking.keypoints import Keypoints
from retrieval.types import (
    Box,
    ClassScores,
    Hit,
    Image,
    Numbers,
    Query,
    Region,
    Rows,
    Scores,
    Vectors,
    WrittenLine,
    WrittenMatch,
)

_MANY, _FEW = 8, 2000  # for one of 8 regions or more, all similarities are quicker than a search, unless they are few


class Searchable(Protocol):
    """The interface of a gallery, or part of one, for rankings.

    Region vectors are identified by row, images by their number in id order. A part keeps the numbers of the whole.
    """

    @property
    def region_count(self) -> int:
        """Number of searched regions."""

    @property
    def rows(self) -> range:
        """A range with the rows of all searched regions, and with others if there is a filter."""

    def are_searched(self, rows: Rows) -> NDArray[np.bool_]:
        """Whether these regions are searched. (R,) -> (R,)."""

    @property
    def class_scores(self) -> ClassScores:
        """Class scores of every region of the whole gallery."""

    @property
    def fetch(self) -> int:
        """Minimum number of regions that an image search fetches first."""

    @property
    def image_count(self) -> int:
        """Number of searched images."""

    @property
    def background(self) -> BackgroundScores:
        """Score distribution of images without the query object."""

    @property
    def graph(self) -> Graph:
        """The neighbour graph for diffusion."""

    def nearest(self, descriptor: Vectors, count: int) -> tuple[Rows, Scores]:
        """The `count` most similar searched vectors, best first. (D,) -> rows (count,), scores (count,)."""

    def similarities(self, descriptor: Vectors) -> Scores:
        """The similarity of every region in `rows` to a descriptor (D,) -> (N,), as `nearest` gives it."""

    def vectors(self, rows: Rows | slice) -> Vectors:
        """(R,) -> (R, D). A slice is not copied."""

    def images_of(self, rows: Rows | slice) -> Numbers:
        """The image number of each row. (R,) -> (R,)."""

    def rows_of(self, image: int) -> Rows:
        """The rows of one image, ascending, at least one."""

    def name(self, image: int) -> str:
        """The id of an image."""

    def number(self, name: str) -> int:
        """The number of the image with this id."""

    def region(self, row: int) -> Region: ...

    def pixels(self, image: int, box: Box | None = None, enough: int = 0) -> Image:
        """The pixels of an image, or of a box of it, at thumbnail resolution, or less if `enough` pixels a side do."""

    def keypoints(self, image: int) -> tuple[Keypoints, tuple[int, int]]:
        """The image's keypoints, in pixels of the original, and its (width, height)."""

    @property
    def has_text(self) -> bool:
        """Whether anything is known to be written in an image of the gallery."""

    def written(self, image: int) -> list[WrittenLine]:
        """What is written in an image, in pixels of the original; nothing if it has not been read."""

    def find_written(self, sought: Sequence[str], most: int = 1000) -> dict[int, list[WrittenMatch]]:
        """The `most` searched images in which texts (words, or several in one line) are written, best first.

        Each has its best line for every text that it has.
        """

    def find_named(self, words: Sequence[str]) -> Numbers:
        """The searched images whose file or folders are named with all of these words, at least one."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """M images, best first, with the row and score of their best regions: three arrays (M,)."""

    images: Numbers
    rows: Rows
    scores: Scores


def nearest_images(descriptor: Vectors, gallery: Searchable, top: int) -> Nearest:
    """The `top` images by similarity of their best region; 0 for all. Ties are ordered by image number."""
    everything = gallery.region_count
    count = min(max(16 * top, gallery.fetch), everything) if top else everything
    if count > max(len(gallery.rows) // _MANY, _FEW):
        return _all_images(descriptor, gallery, top)
    while True:
        rows, scores = gallery.nearest(descriptor, count)
        images = gallery.images_of(rows)
        best = best_region_per_image(rows, scores, images)
        # Rows not fetched may tie with the last one, so only images that score higher are certain.
        certain = np.count_nonzero(scores[best] > scores[-1]) if count < everything else len(best)
        if count == everything or certain >= top:
            best = best[: top or None]
            return Nearest(images[best], rows[best], scores[best])
        count = min(4 * count, everything)


def _all_images(descriptor: Vectors, gallery: Searchable, top: int) -> Nearest:
    """The same, from the similarities of all regions."""
    rows = np.arange(gallery.rows.start, gallery.rows.stop)
    scores = gallery.similarities(descriptor)
    if gallery.region_count < len(rows):
        searched = gallery.are_searched(rows)
        rows, scores = rows[searched], scores[searched]
    images = gallery.images_of(rows)
    best = best_position_per_image(scores, images)
    best = best[np.argsort(-scores[best], kind="stable")][: top or None]
    return Nearest(images[best], rows[best], scores[best])


def prefer_whole(hits: Sequence[Hit], query: Query, gallery: Searchable, near: float) -> list[Hit]:
    """Replace a hit's region by the whole image if that is less similar by at most `near`, unless verified."""
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


def best_position_per_image(scores: Scores, images: Numbers) -> Rows:
    """Positions of each image's best region, by image; ties by row. scores (N,), images (N,) ascending -> (M,).

    Linear time, for many regions; `best_region_per_image` takes them in any order.
    """
    starts = np.flatnonzero(np.diff(images, prepend=-1))
    if not len(starts):
        return starts
    highest = np.maximum.reduceat(scores, starts)
    best = np.flatnonzero(scores == np.repeat(highest, np.diff(starts, append=len(scores))))
    return np.asarray(best[np.searchsorted(best, starts)])  # the first of each image


def best_region_of(image: int, descriptor: Vectors, gallery: Searchable) -> tuple[int, float]:
    """The row and similarity of an image's region nearest to a descriptor (D,)."""
    rows = gallery.rows_of(image)
    with np.errstate(invalid="ignore"):  # OpenBLAS looks at registers that hold no number yet, and does not use them
        similarities = gallery.vectors(rows) @ descriptor
    best = int(similarities.argmax())
    return int(rows[best]), float(similarities[best])
