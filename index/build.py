"""A folder of pictures becomes a new generation of the index."""

import hashlib
import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from index.catalogue import ImageEntry, write_catalogue
from index.folder import Found, Skipped, find_pictures
from index.generation import Counts, publish, scratch_folder, write_graph, write_skipped, write_whitening
from index.keypoints import pack_keypoints
from retrieval.confidence import Null, fit_null
from retrieval.diffusion import make_graph
from retrieval.embed import Embedder
from retrieval.errors import GalleryProblem, UnreadableImage
from retrieval.images import decode_image, read_file, thumbnail
from retrieval.regions import distinct_regions
from retrieval.types import Region, Vectors
from retrieval.verification import find_keypoints
from retrieval.weights import Progress
from retrieval.whitening import SAMPLE, Whitening, learn_whitening

PICTURES_PER_FILE = 1000
"""Of which thumbnails, or keypoints, stand in one file."""
AHEAD = 4
"""Pictures that may wait, described, for each worker: bounds memory when writing is slower than looking."""


@dataclass(frozen=True, slots=True)
class Described:
    """A picture that has been through the network: all that is kept of it."""

    found: Found
    thumbnail: bytes
    keypoints: bytes
    width: int
    height: int
    bytes: int
    mtime: float
    sha256: str
    regions: list[Region]
    vectors: Vectors
    """(R, C) before whitening."""


@dataclass(slots=True)
class _Generation:
    """What has been made so far of the generation in `folder`; vectors by image id, already whitened."""

    folder: Path
    entries: dict[str, ImageEntry] = field(default_factory=dict)
    regions: dict[str, list[Region]] = field(default_factory=dict)
    vectors: dict[str, Vectors] = field(default_factory=dict)

    def add(self, picture: Described, gallery: Path, whitening: Whitening, distinct: float) -> None:
        image = picture.found.id
        number = len(self.entries) // PICTURES_PER_FILE
        thumb_file, keypoints_file = f"thumbs/{number:04d}.jpgs", f"keypoints/{number:04d}.bin"
        self.entries[image] = ImageEntry(
            image=image,
            path=bytes(picture.found.path.relative_to(gallery)),
            width=picture.width,
            height=picture.height,
            bytes=picture.bytes,
            mtime=picture.mtime,
            sha256=picture.sha256,
            thumb_file=thumb_file,
            thumb_start=self._append(thumb_file, picture.thumbnail),
            thumb_bytes=len(picture.thumbnail),
            keypoints_file=keypoints_file,
            keypoints_start=self._append(keypoints_file, picture.keypoints),
            keypoints_bytes=len(picture.keypoints),
        )
        vectors = whitening.apply(picture.vectors)
        kept = distinct_regions(vectors, distinct)
        self.regions[image] = [picture.regions[i] for i in kept]
        self.vectors[image] = vectors[kept]

    def _append(self, name: str, data: bytes) -> int:
        """Where in the file the data now stands."""
        with (self.folder / name).open("ab") as file:
            start = file.tell()
            file.write(data)
        return start

    def write_tables(self, progress: Progress) -> tuple[int, Null]:
        """vectors.npy, the catalogue and the graph, in the order of image ids; the number of vectors, and the null."""
        ids = sorted(self.entries)
        write_catalogue(self.folder, [self.entries[i] for i in ids], [self.regions[i] for i in ids])
        vectors = np.concatenate([self.vectors[i] for i in ids])
        np.save(self.folder / "vectors.npy", vectors, allow_pickle=False)
        images = np.repeat(np.arange(len(ids)), [len(self.vectors[i]) for i in ids])
        write_graph(self.folder, make_graph(vectors, images, lambda *at: progress("Joining what looks alike", *at)))
        return len(vectors), fit_null(vectors, images)


def build(gallery: Path, index_dir: Path, embedder: Embedder, workers: int, progress: Progress, note: str = "") -> Path:
    """Indexes every picture below `gallery` and serves the result; returns the new generation's folder.

    A file that cannot be used is recorded with its reason and costs nothing but itself. What is served changes only
    when everything is complete. Raises GalleryProblem, BuildRunning.
    """
    with scratch_folder(index_dir) as folder:
        progress("Looking for pictures", 0, 0)
        found, skipped = find_pictures(gallery)
        gallery = gallery.resolve()
        generation, recipe = _Generation(folder), embedder.recipe
        whitening = None
        waiting: list[Described] = []  # pictures that the whitening is still to be learned from
        for count, result in enumerate(_describe_all(found, embedder, workers), start=1):
            progress("Looking at pictures", count, len(found))
            if isinstance(result, Skipped):
                skipped.append(result)
            elif whitening is not None:
                generation.add(result, gallery, whitening, recipe.distinct)
            else:
                waiting.append(result)
            if waiting and (count == len(found) or sum(len(p.vectors) for p in waiting) >= SAMPLE):
                progress("Learning what tells these pictures apart", count, len(found))
                with threadpool_limits(workers, "blas"):  # the others wait for it
                    whitening = _learn(waiting, recipe.dimensions)
                for picture in waiting:
                    generation.add(picture, gallery, whitening, recipe.distinct)
                waiting.clear()
        if whitening is None:
            raise GalleryProblem(_nothing_usable(gallery, skipped))
        progress("Writing the index", len(found), len(found))
        regions, null = generation.write_tables(progress)
        write_skipped(folder, sorted(skipped, key=lambda s: s.file))
        write_whitening(folder, whitening)
        counts = Counts(images=len(generation.entries), regions=regions, skipped=len(skipped))
        return publish(folder, index_dir, recipe, gallery, counts, null, note)


def _describe_all(found: list[Found], embedder: Embedder, workers: int) -> Iterator[Described | Skipped]:
    """Each picture described, many at a time, in an order that is shuffled but always the same.

    Shuffled, because the first ones are the sample that the whitening is learned from.
    """
    shuffled = random.Random(0).sample(found, len(found))
    # One thread a worker: left alone, the matrix products of all workers fight over the cores (a third of the speed).
    with ThreadPoolExecutor(workers) as pool, threadpool_limits(1, "blas"):
        under_way: deque[Future[Described | Skipped]] = deque()
        for picture in shuffled:
            under_way.append(pool.submit(_describe, picture, embedder))
            if len(under_way) > AHEAD * workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _describe(found: Found, embedder: Embedder) -> Described | Skipped:
    try:
        mtime = found.path.stat().st_mtime if found.path.exists() else 0.0
        data = read_file(found.path)
        image = decode_image(data, found.path.name)
    except UnreadableImage as error:
        return Skipped(found.id, error.reason, str(error))
    regions, vectors = embedder.regions(image)
    if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
        return Skipped(found.id, "bad_vector", "The network sees nothing in this picture.")
    return Described(
        found=found,
        width=image.shape[1],
        height=image.shape[0],
        bytes=len(data),
        mtime=mtime,
        sha256=hashlib.sha256(data).hexdigest(),
        thumbnail=thumbnail(image),
        regions=regions,
        vectors=vectors,
        keypoints=pack_keypoints(find_keypoints(image), image.shape[1], image.shape[0]),
    )


def _learn(pictures: list[Described], dimensions: int) -> Whitening:
    images = np.repeat(np.arange(len(pictures)), [len(p.vectors) for p in pictures])
    return learn_whitening(np.concatenate([p.vectors for p in pictures]), images, dimensions)


def _nothing_usable(gallery: Path, skipped: list[Skipped]) -> str:
    if not skipped:
        return f"There is no picture in {gallery}; put JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF files there."
    return f"None of the {len(skipped)} pictures in {gallery} can be used; the first: {skipped[0].sentence}"
