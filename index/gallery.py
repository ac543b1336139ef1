"""A generation, its vectors and its catalogue as one read-only thing that can be searched."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.catalogue import Catalogue, ImageEntry
from index.generation import Generation, Manifest, open_generation
from index.keypoints import unpack_keypoints
from index.packs import read_slice
from index.store import STORES, Store
from retrieval.confidence import Null
from retrieval.diffusion import Graph, make_graph
from retrieval.errors import IndexProblem, pick
from retrieval.types import Numbers, Region, Rows, Scores, Vectors
from retrieval.verification import Keypoints
from retrieval.whitening import Whitening


@dataclass(frozen=True, slots=True)
class Gallery:
    """Safe to share between threads: nothing in it ever changes."""

    folder: Path
    manifest: Manifest
    catalogue: Catalogue
    whitening: Whitening
    graph: Graph
    store: Store

    @property
    def region_count(self) -> int:
        return len(self.store)

    @property
    def image_count(self) -> int:
        return len(self.catalogue.ids)

    @property
    def null(self) -> Null:
        return self.manifest.null

    def nearest(self, descriptor: Vectors, count: int) -> tuple[Rows, Scores]:
        rows, scores = self.store.search(descriptor[None], count)
        return rows[0], scores[0]

    def vectors(self, rows: Rows) -> Vectors:
        return self.store.vectors(rows)

    def images_of(self, rows: Rows) -> Numbers:
        return np.asarray(self.catalogue.image_of_row[rows])

    def name(self, image: int) -> str:
        return self.catalogue.ids[image]

    def region(self, row: int) -> Region:
        return self.catalogue.region(row)

    def keypoints(self, image: int) -> tuple[Keypoints, tuple[int, int]]:
        """In pixels of the original, and its (width, height); none when the generation itself has gone."""
        entry = self.catalogue.entry(image)
        try:
            data = self._slice(entry.keypoints_file, entry.keypoints_start, entry.keypoints_bytes)
        except IndexProblem:
            data = b""
        return unpack_keypoints(data, entry.width, entry.height), (entry.width, entry.height)

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
        return self._slice(entry.thumb_file, entry.thumb_start, entry.thumb_bytes)

    def file(self, image: str) -> Path:
        """Where the original lies, if nobody has moved it since."""
        return Path(self.manifest.gallery) / os.fsdecode(self.entry(image).path)

    def _slice(self, name: str, start: int, size: int) -> bytes:
        try:
            return read_slice(self.folder, name, start, size)
        except OSError:
            raise IndexProblem("The index has been rebuilt since; search again to see the pictures.") from None


def open_gallery(folder: Path, store: str = "flat") -> Gallery:
    """Raises IndexProblem."""
    return make_gallery(open_generation(folder), store)


def make_gallery(generation: Generation, store: str = "flat") -> Gallery:
    return Gallery(
        generation.folder,
        generation.manifest,
        generation.catalogue,
        generation.whitening,
        make_graph(generation.neighbours),
        pick(STORES, "store", store)(generation.vectors),
    )
