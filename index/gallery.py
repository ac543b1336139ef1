"""A generation, its vectors and its catalogue as one read-only thing that can be searched."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.catalogue import Catalogue, ImageEntry
from index.generation import Manifest, open_generation
from index.store import STORES, Store
from retrieval.errors import IndexProblem, pick
from retrieval.search import Rows, Scores
from retrieval.types import Hit, Region, Vectors
from retrieval.whitening import Whitening


@dataclass(frozen=True, slots=True)
class Gallery:
    """Safe to share between threads: nothing in it ever changes."""

    folder: Path
    manifest: Manifest
    catalogue: Catalogue
    whitening: Whitening
    store: Store

    @property
    def region_count(self) -> int:
        return len(self.store)

    def nearest(self, descriptor: Vectors, count: int) -> tuple[Rows, Scores]:
        rows, scores = self.store.search(descriptor[None], count)
        return rows[0], scores[0]

    def images_of(self, rows: Rows) -> NDArray[np.int64]:
        return np.asarray(self.catalogue.image_of_row[rows])

    def hit(self, row: int, score: float) -> Hit:
        number = int(self.catalogue.image_of_row[row])
        return Hit(self.catalogue.ids[number], self.catalogue.region(row), score)

    def entry(self, image: str) -> ImageEntry:
        """Raises IndexProblem when the gallery has no image of that id."""
        if image not in self.catalogue.numbers:
            raise IndexProblem(f"The index has no picture {image!r}.")
        return self.catalogue.entry(self.catalogue.numbers[image])

    def regions(self, image: str) -> list[Region]:
        return [self.catalogue.region(row) for row in self.catalogue.rows_of(self.catalogue.numbers[image])]

    def thumbnail(self, image: str) -> bytes:
        """The JPEG made when the picture was indexed: it is there even when the picture is not any more.

        Raises IndexProblem when the generation itself has gone, which it does when two later ones are there.
        """
        entry = self.entry(image)
        try:
            with (self.folder / entry.thumb_file).open("rb") as file:
                file.seek(entry.thumb_start)
                return file.read(entry.thumb_bytes)
        except OSError:
            raise IndexProblem("The index has been rebuilt since; search again to see the pictures.") from None

    def file(self, image: str) -> Path:
        """Where the original lies, if nobody has moved it since."""
        return Path(self.manifest.gallery) / os.fsdecode(self.entry(image).path)


def open_gallery(folder: Path, store: str = "flat") -> Gallery:
    """Raises IndexProblem."""
    generation = open_generation(folder)
    make_store = pick(STORES, "store", store)
    return Gallery(
        folder, generation.manifest, generation.catalogue, generation.whitening, make_store(generation.vectors)
    )
