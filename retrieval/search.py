"""The way from a query to a ranking: start reading here."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import pick
from retrieval.types import Hit, Vectors

Rows = NDArray[np.int64]
Scores = NDArray[np.float32]


class Searchable(Protocol):
    """What a ranking needs of a gallery."""

    @property
    def region_count(self) -> int:
        """How many region vectors there are; they are called by their row."""

    def nearest(self, descriptor: Vectors, count: int) -> tuple[Rows, Scores]:
        """The `count` most similar region vectors, best first. (D,) -> rows (count,), scores (count,)."""

    def images_of(self, rows: Rows) -> NDArray[np.int64]:
        """The number of the image each row belongs to; images are numbered in the order of their ids."""

    def hit(self, row: int, score: float) -> Hit:
        """The image and region that a row stands for."""


def search(descriptor: Vectors, gallery: Searchable, ranking: str = "fast", top: int = 10) -> list[Hit]:
    """The `top` images that hold what the descriptor (D,) describes, best first; top=0 ranks every image."""
    rank = pick(RANKINGS, "ranking", ranking)
    return rank(descriptor, gallery, top)


def fast(descriptor: Vectors, gallery: Searchable, top: int) -> list[Hit]:
    """One exact vector search; an image is worth as much as its best region, and equal scores go by image id."""
    everything = gallery.region_count
    count = min(32 * top, everything) if top else everything
    while True:
        rows, scores = gallery.nearest(descriptor, count)
        best = best_region_per_image(rows, scores, gallery.images_of(rows))
        # Rows not fetched could still tie with the last one, so only images above it are certain.
        certain = np.count_nonzero(scores[best] > scores[-1]) if count < everything else len(best)
        if count == everything or certain >= top:
            return [gallery.hit(int(rows[i]), float(scores[i])) for i in best[: top or None]]
        count = min(4 * count, everything)


def best_region_per_image(rows: Rows, scores: Scores, images: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of each image's best region, best image first; ties by image, then by row."""
    order = np.lexsort((rows, images, -scores))
    first_of_image = np.sort(np.unique(images[order], return_index=True)[1])
    return np.asarray(order[first_of_image])


Ranking = Callable[[Vectors, Searchable, int], list[Hit]]
RANKINGS: dict[str, Ranking] = {"fast": fast}
