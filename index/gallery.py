"""A generation, its vectors and its catalogue as one read-only thing that can be searched."""

import os
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from index.storage.blobs import read_slice
from index.storage.generation import Generation, Manifest, open_generation
from index.storage.keypoint_codec import unpack_keypoints
from index.storage.tables import ImageEntry, Tables
from index.stores.store import Material, Store, open_store
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import IndexProblem, UnknownFolder, UnknownPicture
from retrieval.images.decode import decode_image
from retrieval.printable_names import shown
from retrieval.ranking.confidence import BackgroundScores
from retrieval.ranking.diffusion import Graph, make_graph
from retrieval.ranking.keypoints import Keypoints
from retrieval.types import Box, ClassScores, Image, Numbers, Region, Rows, Scores, Vectors

if TYPE_CHECKING:  # it needs pymilvus
    from index.milvus.collection import Collection


@dataclass(frozen=True, slots=True)
class Gallery:
    """All of it, or what lies below one of its folders. Safe to share between threads: nothing in it ever changes."""

    folder: Path
    manifest: Manifest
    tables: Tables
    whitening: Whitening
    graph: Graph
    store: Store
    images: range
    """The numbers of the images that are searched; everything else is that of the whole gallery."""
    class_scores: ClassScores
    fetch: int = 0
    """How many regions a search for images asks for at first, at least."""

    @property
    def rows(self) -> range:
        """The vector rows that are searched."""
        start, end = np.searchsorted(self.tables.image_of_row, [self.images.start, self.images.stop])
        return range(int(start), int(end))

    @property
    def region_count(self) -> int:
        return len(self.rows)

    @property
    def image_count(self) -> int:
        return len(self.images)

    @property
    def background(self) -> BackgroundScores:
        return self.manifest.background

    def nearest(self, descriptor: Vectors, count: int) -> tuple[Rows, Scores]:
        rows, scores = self.store.search(descriptor[None], count, self.rows)
        return rows[0], scores[0]

    def vectors(self, rows: Rows) -> Vectors:
        return self.store.vectors(rows)

    def images_of(self, rows: Rows) -> Numbers:
        return np.asarray(self.tables.image_of_row[rows])

    def rows_of(self, image: int) -> Rows:
        return np.asarray(self.tables.rows_of(image), np.int64)

    def name(self, image: int) -> str:
        return self.tables.ids[image]

    def number(self, name: str) -> int:
        return self.tables.numbers[name]

    def numbers(self, names: Iterable[str]) -> list[int]:
        """The images with those ids; ids that the gallery does not know are passed over."""
        return [self.tables.numbers[name] for name in names if name in self.tables.numbers]

    def region(self, row: int) -> Region:
        return self.tables.region(row)

    def pixels(self, image: int, box: Box) -> Image:
        """A box of an image, as its thumbnail shows it; nothing (0, 0, 3) when the generation itself has gone."""
        entry = self.tables.entry(image)
        try:
            small = decode_image(self.thumbnail(entry.image))
        except IndexProblem:
            return np.zeros((0, 0, 3), np.uint8)
        x, y = small.shape[1] / entry.width, small.shape[0] / entry.height
        x0, y0 = int(box.x0 * x), int(box.y0 * y)
        return small[y0 : max(round(box.y1 * y), y0 + 1), x0 : max(round(box.x1 * x), x0 + 1)]

    def keypoints(self, image: int) -> tuple[Keypoints, tuple[int, int]]:
        """In pixels of the original, and its (width, height); none when the generation itself has gone."""
        entry = self.tables.entry(image)
        try:
            data = self._slice(entry.keypoints_file, entry.keypoints_start, entry.keypoints_bytes)
        except IndexProblem:
            data = b""
        return unpack_keypoints(data, entry.width, entry.height), (entry.width, entry.height)

    def folders(self) -> list[str]:
        """Every folder that has pictures in it, or in folders in it, in order; not the gallery itself."""
        holding = {image.rpartition("/")[0] for image in self.tables.ids}
        return sorted({str(above) for folder in holding for above in PurePosixPath(folder, "-").parents} - {"."})

    def below(self, folder: str) -> "Gallery":
        """The same gallery, of which only the pictures below a folder are found; all of them for "".

        Raises UnknownFolder when there are none.
        """
        ids = self.tables.ids  # in order, so that those with one beginning follow one another
        images = range(bisect_left(ids, f"{folder}/"), bisect_left(ids, f"{folder}0"))  # "0" comes next after "/"
        if folder and not images:
            raise UnknownFolder(f"The index has no pictures below the folder {folder}; search all of them, or another.")
        return replace(self, images=images if folder else range(len(ids)))

    def entry(self, image: str) -> ImageEntry:
        """Raises UnknownPicture when the gallery has no image of that id."""
        if image not in self.tables.numbers:
            raise UnknownPicture(f"The index has no picture {shown(image)!r}.")
        return self.tables.entry(self.tables.numbers[image])

    def regions(self, image: str) -> list[Region]:
        """Of an image that the gallery has."""
        return [self.tables.region(row) for row in self.tables.rows_of(self.tables.numbers[image])]

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


def open_gallery(folder: Path, store: str = "auto") -> Gallery:
    """Raises IndexProblem, UnknownName."""
    return make_gallery(open_generation(folder), store)


def make_gallery(
    generation: Generation, store: str = "auto", fetch: int = 0, collection: "Collection | None" = None
) -> Gallery:
    """`store`: one of STORES; `collection`: where the vectors are in Milvus, for the store of that name.

    Raises UnknownName, IndexProblem where the generation cannot be searched that way.
    """
    return Gallery(
        generation.folder,
        generation.manifest,
        generation.tables,
        generation.whitening,
        make_graph(generation.neighbours),
        open_store(store, Material(generation.vectors, generation.cells, collection)),
        range(len(generation.tables.ids)),
        generation.class_scores,
        fetch,
    )
