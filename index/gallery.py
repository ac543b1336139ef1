"""A searchable, read-only view of one generation: vector store, tables, thumbnails and keypoints."""

import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from index.storage.blobs import read_slice
from index.storage.generation import Generation, open_generation
from index.storage.keypoint_codec import unpack_keypoints
from index.storage.manifest import Manifest
from index.storage.picture_contents import PictureContents, picture_contents
from index.storage.picture_filter import Mask, named
from index.storage.tables import ImageEntry, Tables
from index.storage.written_search import find_written
from index.storage.written_text import WrittenText
from index.stores.chosen_rows import search_rows
from index.stores.flat_store import similarities
from index.stores.store import Store, open_store
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import IndexProblem, UnknownFolder, UnknownPicture
from retrieval.images.jpeg_decoder import decode_thumbnail
from retrieval.printable_names import shown
from retrieval.ranking.confidence import BackgroundScores
from retrieval.ranking.diffusion import Graph, make_graph
from retrieval.ranking.keypoints import Keypoints
from retrieval.types import (
    Box,
    ClassScores,
    Image,
    Numbers,
    Region,
    Rows,
    Scores,
    Vectors,
    WrittenLine,
    WrittenMatch,
)

if TYPE_CHECKING:  # requires pymilvus
    from index.milvus.collection import Collection


@dataclass(frozen=True, slots=True)
class Gallery:
    """A whole gallery, or a part of it: a subfolder, chosen images, or both. Immutable, so threads may share it."""

    folder: Path
    manifest: Manifest
    tables: Tables
    whitening: Whitening
    descriptors: Vectors
    """(N, D), memory-mapped."""
    graph: Graph
    store: Store
    images: range
    """Numbers of the images to search, unless `chosen` excludes them. All other fields describe the whole gallery."""
    class_scores: ClassScores
    contents: PictureContents
    fetch: int = 0
    """Minimum number of regions that an image search fetches in its first round."""
    chosen: Mask | None = None
    """Which images of the whole gallery may be searched (N,); None for all."""
    chosen_rows: Rows | None = None
    """The vector rows to search, ascending, if there are `chosen` images."""

    @property
    def rows(self) -> range:
        """Vector rows of `images`."""
        start, end = np.searchsorted(self.tables.image_of_row, [self.images.start, self.images.stop])
        return range(int(start), int(end))

    @property
    def image_numbers(self) -> Numbers:
        """The numbers of the images to search, ascending."""
        numbers = np.arange(self.images.start, self.images.stop)
        return numbers if self.chosen is None else numbers[self.chosen[numbers]]

    @property
    def region_count(self) -> int:
        return len(self.rows if self.chosen_rows is None else self.chosen_rows)

    @property
    def image_count(self) -> int:
        return len(self.images) if self.chosen is None else int(self.chosen[self.images].sum())

    @property
    def background(self) -> BackgroundScores:
        return self.manifest.background

    def nearest(self, descriptor: Vectors, count: int) -> tuple[Rows, Scores]:
        if self.chosen_rows is None:
            return self.store.search(descriptor, count, self.rows)
        return search_rows(self.store, self.descriptors, descriptor, count, self.chosen_rows)

    def similarities(self, descriptor: Vectors) -> Scores:
        return similarities(self.descriptors, descriptor, self.rows)

    def are_searched(self, rows: Rows) -> Mask:
        inside = (rows >= self.rows.start) & (rows < self.rows.stop)
        return inside if self.chosen is None else inside & self.chosen[self.tables.image_of_row[rows]]

    def vectors(self, rows: Rows | slice) -> Vectors:
        return self.descriptors[rows]

    def images_of(self, rows: Rows | slice) -> Numbers:
        return np.asarray(self.tables.image_of_row[rows])

    def rows_of(self, image: int) -> Rows:
        return np.asarray(self.tables.rows_of(image), np.int64)

    def name(self, image: int) -> str:
        return self.tables.ids[image]

    def number(self, name: str) -> int:
        return self.tables.numbers[name]

    def numbers(self, names: Iterable[str]) -> list[int]:
        """The numbers of the images with these ids; unknown ids are skipped."""
        return [self.tables.numbers[name] for name in names if name in self.tables.numbers]

    def region(self, row: int) -> Region:
        return self.tables.region(row)

    def pixels(self, image: int, box: Box | None = None, enough: int = 0) -> Image:
        """The image's thumbnail, or a box of it in original pixels. Shape (0, 0, 3) if the generation was deleted.

        It is smaller, which is quicker, if both sides then still have `enough` pixels; 0 means its own size.
        """
        entry = self.tables.entry(image)
        part = min(box.width / entry.width, box.height / entry.height, 1.0) if box else 1.0
        try:
            data = self._slice(entry.thumb_file, entry.thumb_start, entry.thumb_bytes)
            small = decode_thumbnail(data, ceil(enough / part))
        except IndexProblem:
            return np.zeros((0, 0, 3), np.uint8)
        if box is None:
            return small
        x, y = small.shape[1] / entry.width, small.shape[0] / entry.height
        x0, y0 = int(box.x0 * x), int(box.y0 * y)
        return small[y0 : max(round(box.y1 * y), y0 + 1), x0 : max(round(box.x1 * x), x0 + 1)]

    def keypoints(self, image: int) -> tuple[Keypoints, tuple[int, int]]:
        """Keypoints in original pixels, and the image's (width, height). No keypoints if the generation was deleted."""
        entry = self.tables.entry(image)
        try:
            data = self._slice(entry.keypoints_file, entry.keypoints_start, entry.keypoints_bytes)
        except IndexProblem:
            data = b""
        return unpack_keypoints(data, entry.width, entry.height), (entry.width, entry.height)

    @property
    def written_text(self) -> WrittenText:
        """What is written in the pictures of the index; it belongs to all generations."""
        return WrittenText(self.folder.parent)

    @property
    def has_text(self) -> bool:
        return self.written_text.has_lines()

    def written(self, image: int) -> list[WrittenLine]:
        """What is written in an image; nothing if it has not been read yet."""
        return self.written_text.lines(self.contents.of_image(image))

    def written_in(self, sha256: str) -> list[WrittenLine]:
        """The text lines of the image whose file has this SHA-256; empty if there is none or it is unread."""
        image = self.tables.with_contents(sha256)
        return [] if image is None else self.written(self.tables.numbers[image])

    def find_written(self, sought: Sequence[str], most: int = 1000) -> dict[int, list[WrittenMatch]]:
        """The `most` images in which texts are written, best first, and where: several words in one line, or near.

        Each has its best line for every text that it has, or the lines near each other that hold it, as one.
        """
        return find_written(sought, self.written_text, self.contents, self._images_are_searched, most)

    def find_named(self, words: Sequence[str]) -> Numbers:
        """The images that have all of these words in their path, ascending. There must be one."""
        numbers = np.flatnonzero(named(words, self.tables))
        return numbers[self._images_are_searched(numbers)]

    def _images_are_searched(self, images: Numbers) -> Mask:
        inside = (images >= self.images.start) & (images < self.images.stop)
        return inside if self.chosen is None else inside & self.chosen[images]

    def folders(self) -> list[str]:
        """Sorted paths of all folders that contain images, directly or in subfolders; without the gallery root."""
        holding = {image.rpartition("/")[0] for image in self.tables.ids}
        return sorted({str(above) for folder in holding for above in PurePosixPath(folder, "-").parents} - {"."})

    def below(self, folder: str) -> "Gallery":
        """Restrict searches to the images below a folder; "" means the whole gallery.

        Raises UnknownFolder if the folder has no indexed images.
        """
        ids = self.tables.ids  # sorted, so ids with the same prefix are adjacent
        images = range(bisect_left(ids, f"{folder}/"), bisect_left(ids, f"{folder}0"))  # "0" is the character after "/"
        if folder and not images:
            raise UnknownFolder(
                f"The index has no pictures below the folder {folder}; choose another folder, or search all."
            )
        part = replace(self, images=images if folder else range(len(ids)))
        return part if self.chosen is None else part.only(self.chosen)

    def only(self, chosen: Mask) -> "Gallery":
        """Restrict searches to the chosen ones (N,) of all images of the gallery, besides the folder."""
        part = replace(self, chosen=chosen)
        rows = np.arange(part.rows.start, part.rows.stop)
        return replace(part, chosen_rows=rows[part.are_searched(rows)])

    def entry(self, image: str) -> ImageEntry:
        """Raises UnknownPicture if no image has this id."""
        if image not in self.tables.numbers:
            raise UnknownPicture(f"The index has no picture {shown(image)!r}.")
        return self.tables.entry(self.tables.numbers[image])

    def regions(self, image: str) -> list[Region]:
        """The regions of an image. Raises KeyError for an unknown id."""
        return [self.tables.region(row) for row in self.tables.rows_of(self.tables.numbers[image])]

    def thumbnail(self, image: str) -> bytes:
        """The JPEG thumbnail made at indexing time, available even after the original was deleted.

        Raises IndexProblem if the generation was deleted: an index keeps only its two newest generations.
        """
        entry = self.entry(image)
        return self._slice(entry.thumb_file, entry.thumb_start, entry.thumb_bytes)

    def file(self, image: str) -> Path:
        """Path of the original file, which may have been moved or deleted since."""
        return Path(self.manifest.gallery) / os.fsdecode(self.entry(image).path)

    def _slice(self, name: str, start: int, size: int) -> bytes:
        try:
            return read_slice(self.folder, name, start, size)
        except OSError:
            raise IndexProblem("The index has been rebuilt; search again to see the pictures.") from None


def open_gallery(folder: Path, store: str = "auto") -> Gallery:
    """Raises IndexProblem, UnknownName."""
    return make_gallery(open_generation(folder), store)


def make_gallery(
    generation: Generation, store: str = "auto", fetch: int = 0, collection: "Collection | None" = None
) -> Gallery:
    """Open a generation with `store`, a key of STORES. The store "milvus" also needs `collection`.

    Raises UnknownName, and IndexProblem if the generation does not support the store.
    """
    return Gallery(
        generation.folder,
        generation.manifest,
        generation.tables,
        generation.whitening,
        generation.vectors,
        make_graph(generation.neighbours),
        open_store(store, generation.vectors, generation.cells, collection),
        range(len(generation.tables.ids)),
        generation.class_scores,
        picture_contents(generation.tables),
        fetch,
    )
