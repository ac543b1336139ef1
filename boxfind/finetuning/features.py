"""Extract unwhitened region descriptors of gallery images for training."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from index.building.decode_tasks import Unchanged
from index.building.decoder_pool import DecoderPool
from index.storage.folder_scan import ScannedFile
from index.storage.keypoint_codec import unpack_keypoints
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import UnreadableImage
from retrieval.ranking.keypoints import Keypoints
from retrieval.types import Box, Numbers, Progress, Rows, Scores, Vectors, unit

BLOCK = 8_192


@dataclass(frozen=True)
class RawRegions:
    """Images by number, and the regions of all images, ordered by image."""

    names: list[str]
    boxes: list[Box]
    images: Numbers  # (N,) image number of each region, ascending without gaps
    vectors: NDArray[np.float16]  # (N, C) before whitening; float16 to save memory
    keypoints: list[tuple[bytes, tuple[int, int]]] = field(default_factory=list)
    """Each image's encoded keypoints, and its (width, height)."""

    @cached_property
    def starts(self) -> Rows:
        """The first region of each image. -> (M,)."""
        return np.searchsorted(self.images, np.arange(len(self.names)))

    def rows_of(self, image: int) -> slice:
        """Return the rows of an image's regions."""
        return slice(*np.searchsorted(self.images, (image, image + 1)).tolist())

    def read_keypoints(self, image: int) -> tuple[Keypoints, tuple[int, int]]:
        """Return an image's keypoints, in pixels, and its (width, height)."""
        data, size = self.keypoints[image]
        return unpack_keypoints(data, *size), size

    def projected(self, whitening: Whitening) -> Vectors:
        """Return the whitened descriptors, not normalised: (N, D)."""
        made = np.empty((len(self.vectors), whitening.projection.shape[1]), np.float32)
        for start in range(0, len(made), BLOCK):
            part = slice(start, start + BLOCK)
            made[part] = (unit(self.vectors[part].astype(np.float32)) - whitening.mean) @ whitening.projection
        return made


def describe_pictures(
    pictures: Sequence[ScannedFile], embedder: Embedder, pool: DecoderPool, workers: int, progress: Progress
) -> RawRegions:
    """Describe every image once. Images that a build would skip are left out."""
    recipe = embedder.recipe

    def describe(file: ScannedFile) -> tuple[list[Box], NDArray[np.float16], bytes, tuple[int, int]] | None:
        try:
            seen = pool.decode_file(file.path, recipe.side, recipe.keypoints or 0, stride=recipe.stride)
        except UnreadableImage:
            return None
        assert not isinstance(seen, Unchanged)  # no known files were passed
        size = seen.width, seen.height
        described = embedder.describe(seen.pixels, size)
        if not np.isfinite(described.vectors).all() or not described.vectors.any(axis=1).all():
            return None
        boxes = [region.box for region in described.regions]
        return boxes, described.vectors.astype(np.float16), seen.keypoints, size

    names, boxes, images, vectors = list[str](), list[Box](), list[int](), [np.empty((0, 1), np.float16)]
    keypoints = list[tuple[bytes, tuple[int, int]]]()
    # One BLAS thread per worker, as in a build, so that workers do not compete for the cores.
    with ThreadPoolExecutor(workers) as threads, one_blas_thread():
        for count, (file, made) in enumerate(zip(pictures, threads.map(describe, pictures), strict=True), start=1):
            progress("Reading pictures", count, len(pictures))
            if made is not None:
                images += [len(names)] * len(made[0])
                names.append(file.id)
                boxes += made[0]
                vectors.append(made[1])
                keypoints.append(made[2:])
    return RawRegions(names, boxes, np.array(images, np.int64), np.concatenate(vectors[1:] or vectors), keypoints)


def best_regions(asking: Vectors, raw: RawRegions, descriptors: Vectors, images: Numbers) -> tuple[Rows, Scores]:
    """Find the nearest region of each image to each descriptor. asking (A, D) -> two arrays (A, len(images))."""
    rows = np.empty((len(asking), len(images)), np.int64)
    scores = np.empty(rows.shape, np.float32)
    for place, image in enumerate(images):
        inside = raw.rows_of(int(image))
        similar = asking @ descriptors[inside].T  # (A, R)
        best = similar.argmax(axis=1)
        rows[:, place], scores[:, place] = inside.start + best, similar[np.arange(len(asking)), best]
    return rows, scores
