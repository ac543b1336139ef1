"""The described pictures of a journal, seen through a whitening that is not its own."""

from collections.abc import Iterable
from itertools import islice

import numpy as np

from index.building.journal import DescribedImage, Journal, whitened
from retrieval.descriptors.whitening import Whitening, learn_whitening
from retrieval.types import Vectors

OUTGROWN = 2
"""A provisional whitening is learned again once there are this many times as many pictures."""
MOST_PICTURES = 600
"""A provisional whitening is learned from no more, because people wait for it. They are read in an order in which the
first ones stand for the whole."""


class WhitenedJournal:
    """A journal without a whitening, with a provisional one. The journal stays as it is."""

    def __init__(self, journal: Journal, dimensions: int) -> None:
        """Learn the whitening from what is in the journal so far."""
        self._journal = journal
        self.learned = min(len(journal.counts()), MOST_PICTURES)
        """Number of images that the whitening was learned from."""
        self.whitening = _provisional_whitening(journal, dimensions)
        self._counts: dict[str, int] = {}

    def is_outgrown(self) -> bool:
        """Whether the journal has many more pictures now."""
        return self.learned < MOST_PICTURES and len(self._journal.counts()) >= OUTGROWN * self.learned

    def look_at(self, images: Iterable[str]) -> None:
        """Count the regions of these images that are kept."""
        for image in images:
            if image not in self._counts:
                self._counts[image] = len(self._whitened(self._journal.vectors(image))[0])

    def counts(self) -> dict[str, int]:
        """The number of regions of each image that was looked at."""
        return dict(self._counts)

    def picture(self, image: str) -> DescribedImage:
        picture = self._journal.picture(image)
        return picture.with_regions(*self._whitened(picture.vectors))

    def _whitened(self, vectors: Vectors) -> tuple[list[int], Vectors]:
        return whitened(vectors, self.whitening, self._journal.dedup_similarity)


def _provisional_whitening(journal: Journal, dimensions: int) -> Whitening:
    vectors_of_each = [vectors for _, vectors, _ in islice(journal.regions(), MOST_PICTURES)]
    images = np.repeat(np.arange(len(vectors_of_each)), list(map(len, vectors_of_each)))
    return learn_whitening(np.concatenate(vectors_of_each), images, dimensions)
