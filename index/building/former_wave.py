"""What a wave takes over from the one before it: files of thumbnails and keypoints, and neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index.storage.arrays import Cells
from index.storage.manifest import FileFacts
from index.storage.tables import ImageEntry
from retrieval.descriptors.whitening import Whitening
from retrieval.ranking.diffusion import Neighbours
from retrieval.types import Rows


@dataclass(frozen=True, slots=True)
class FormerWave:
    """A published wave of this build."""

    folder: Path
    files: dict[str, FileFacts]
    """Its files of thumbnails and keypoints."""
    entries: dict[str, ImageEntry]
    """By image id, in the order of ids."""
    sizes: dict[str, int]
    """Image id -> number of vector rows."""
    whitening: Whitening
    neighbours: Neighbours
    cells: Cells | None

    def placed(self, entry: ImageEntry, keypoints: int) -> ImageEntry | None:
        """The entry with the locations of its thumbnail and keypoints; None if they are not in the files.

        `keypoints`: the bytes that they have now.
        """
        here = self._same(entry)
        if here is None or here.keypoints_bytes != keypoints:
            return None
        places = ("thumb_file", "thumb_start", "thumb_bytes", "keypoints_file", "keypoints_start", "keypoints_bytes")
        return replace(entry, **{name: getattr(here, name) for name in places})

    def new_rows(self, entries: Sequence[ImageEntry], sizes: Sequence[int]) -> Rows:
        """Map each row of the wave to its row in a new one with these images, or -1 -> (N,)."""
        here = np.full(sum(self.sizes.values()), -1)
        starts = dict(zip(self.sizes, np.cumsum([0, *self.sizes.values()]).tolist(), strict=False))
        new_starts = np.cumsum([0, *sizes]).tolist()
        for entry, size, new in zip(entries, sizes, new_starts, strict=False):
            if self._same(entry) is not None and self.sizes[entry.image] == size:
                start = starts[entry.image]
                here[start : start + size] = np.arange(new, new + size)
        return here

    def _same(self, entry: ImageEntry) -> ImageEntry | None:
        """The entry of the same picture with the same contents."""
        here = self.entries.get(entry.image)
        return here if here is not None and here.sha256 == entry.sha256 else None
