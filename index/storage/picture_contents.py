"""Know pictures by the contents of their files, whatever their names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.storage.tables import Tables
from retrieval.types import Numbers

Contents = NDArray[np.int64]
"""Numbers that stand for the contents of files: the first eight bytes of their SHA-256."""


@dataclass(frozen=True, slots=True)
class PictureContents:
    """The contents of a gallery's pictures, ascending, and the numbers of the pictures: two arrays (N,)."""

    contents: Contents
    images: Numbers

    def of_image(self, image: int) -> int:
        """The contents of one picture."""
        return int(self.contents[np.flatnonzero(self.images == image)[0]])

    def places(self, contents: Contents) -> tuple[Numbers, Numbers]:
        """The M pictures with any of these contents, and which ones of them: images (M,), positions (M,).

        Several pictures may have the same contents, and contents need not have a picture.
        """
        first = np.searchsorted(self.contents, contents, "left")
        counts = np.searchsorted(self.contents, contents, "right") - first
        positions = np.repeat(np.arange(len(contents)), counts)
        within = np.arange(len(positions)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.images[first[positions] + within], positions


def picture_contents(tables: Tables) -> PictureContents:
    contents = contents_of(tables.images["sha256"].to_pylist())
    order = np.argsort(contents, kind="stable")
    return PictureContents(contents[order], order)


def contents_of(hashes: Sequence[str]) -> Contents:
    """The contents of files by their SHA-256 as hexadecimal digits -> (N,)."""
    digits = "".join(sha256[:16] for sha256 in hashes)
    return np.frombuffer(bytes.fromhex(digits), ">i8").astype(np.int64)
