"""Describe one image: decode it, then compute its regions, descriptors and class scores, or say why it is skipped."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from index.building.decoder_pool import DecodedImage, DecoderPool, Unchanged
from index.building.journal import DescribedImage
from index.storage.folder_scan import Found, Skipped
from index.storage.tables import ImageEntry
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.errors import UnreadableImage


@dataclass(frozen=True, slots=True)
class Task:
    """An image to describe."""

    found: Found
    known: frozenset[str]
    """SHA-256 of indexed files of the same size. A match means the file was renamed or touched: Unchanged."""


Result = DescribedImage | Unchanged | Skipped


class Executor(Protocol):
    """Describes images for a build: on this machine (thread_executor.py) or on Ray (ray_executor.py)."""

    @property
    def embedder(self) -> Embedder:
        """The embedder that describes the images."""

    @property
    def workers(self) -> int:
        """Number of local threads the build may use."""

    def __call__(self, tasks: Iterable[Task]) -> Generator[tuple[Found, Result]]:
        """Yield the result of each task exactly once, in order except for retries. Raises ClusterProblem.

        Memory is bounded: work pauses while results are not consumed. Closing the generator stops the work.
        """


def decode_task(task: Task, pool: DecoderPool, recipe: Recipe) -> DecodedImage | Unchanged | Skipped:
    """Step 1: read the file and decode it to the input size of the recipe's network."""
    found = task.found
    assert recipe.keypoints is not None  # only recipes of old indexes lack it, and builds never use those
    try:
        return pool.decode_file(found.path, recipe.side, recipe.keypoints, task.known)
    except UnreadableImage as error:
        return Skipped(found.id, error.reason, str(error), found.bytes, found.mtime)


def describe_image(task: Task, decoded: DecodedImage | Unchanged | Skipped, embedder: Embedder) -> Result:
    """Step 2: run the network on a decoded image. Skipped and unchanged files pass through."""
    if not isinstance(decoded, DecodedImage):
        return decoded
    found, width, height = task.found, decoded.width, decoded.height
    described = embedder.look(decoded.pixels, (width, height))
    if not np.isfinite(described.vectors).all() or not described.vectors.any(axis=1).all():
        sentence = "The network computes no usable descriptor for this picture."
        return Skipped(found.id, "bad_vector", sentence, found.bytes, found.mtime)
    return DescribedImage(
        ImageEntry(found.id, found.relative, width, height, decoded.bytes, decoded.mtime, decoded.sha256),
        decoded.thumbnail,
        decoded.keypoints,
        described.regions,
        described.vectors,
        described.class_scores,
    )
