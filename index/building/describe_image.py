"""Describe one image: decode it, then compute its regions, descriptors and class scores, or say why it is skipped."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from index.building.decoder_pool import DecodedImage, DecoderPool, Unchanged
from index.building.journal import DescribedImage
from index.storage.folder_scan import ScannedFile, Skipped
from index.storage.gallery_rules import check_side
from index.storage.tables import ImageEntry
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.errors import UnreadableImage


@dataclass(frozen=True, slots=True)
class ImageTask:
    """An image to describe."""

    file: ScannedFile
    known: frozenset[str]
    """SHA-256 of indexed files of the same size. A match means the file was renamed or touched: Unchanged."""
    min_side: int = 0
    """A picture whose shorter side has fewer pixels is skipped."""
    incomplete: bool = False
    """Whether a picture of which a part is missing is described too."""


Result = DescribedImage | Unchanged | Skipped


class Executor(Protocol):
    """Describes images for a build: on this machine (thread_executor.py) or on Ray (ray_executor.py)."""

    @property
    def embedder(self) -> Embedder:
        """The embedder that describes the images."""

    @property
    def workers(self) -> int:
        """Number of local threads the build may use."""

    def __call__(self, tasks: Iterable[ImageTask]) -> Generator[tuple[ScannedFile, Result]]:
        """Yield the result of each task exactly once, in order except for retries. Raises ClusterProblem.

        Memory is bounded: work pauses while results are not consumed. Closing the generator stops the work.
        """


def decode_task(task: ImageTask, pool: DecoderPool, recipe: Recipe) -> DecodedImage | Unchanged | Skipped:
    """Step 1: read the file and decode it to the input size of the recipe's network."""
    file = task.file
    assert recipe.keypoints is not None  # only recipes of old indexes lack it, and builds never use those
    try:
        wanted = recipe.side, recipe.keypoints, task.known, task.incomplete, recipe.tiled_from, recipe.tiles
        decoded = pool.decode_file(file.path, *wanted)
        if isinstance(decoded, DecodedImage):
            check_side(file.path.name, (decoded.width, decoded.height), task.min_side)
    except UnreadableImage as error:
        return Skipped(file.id, error.reason, str(error), file.bytes, file.mtime)
    return decoded


def describe_image(task: ImageTask, decoded: DecodedImage | Unchanged | Skipped, embedder: Embedder) -> Result:
    """Step 2: run the network on a decoded image. Skipped and unchanged files pass through."""
    if not isinstance(decoded, DecodedImage):
        return decoded
    file, width, height = task.file, decoded.width, decoded.height
    described = embedder.describe(decoded.pixels, (width, height), decoded.tiles)
    if not np.isfinite(described.vectors).all() or not described.vectors.any(axis=1).all():
        sentence = "A descriptor of this picture is zero or not finite, so the picture cannot be indexed."
        return Skipped(file.id, "bad_vector", sentence, file.bytes, file.mtime)
    return DescribedImage(
        ImageEntry(file.id, file.relative, width, height, decoded.bytes, decoded.mtime, decoded.sha256, decoded.taken),
        decoded.thumbnail,
        decoded.keypoints,
        described.regions,
        described.vectors,
        described.class_scores,
    )
