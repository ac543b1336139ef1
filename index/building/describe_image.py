"""Describe one image: decode it, then compute its regions, descriptors and class scores, or say why it is skipped."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from index.building.decoder_pool import DecodedImage, DecoderPool, Unchanged
from index.building.journal import DescribedImage
from index.storage.folder_scan import Found, Skipped
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.errors import UnreadableImage


@dataclass(frozen=True, slots=True)
class Task:
    """An image to describe."""

    found: Found
    below: bytes
    """Path relative to the gallery, as raw file system bytes."""
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
        return pool.look(found.path, recipe.side, recipe.keypoints, task.known)
    except UnreadableImage as error:
        return Skipped(found.id, error.reason, str(error), found.bytes, found.mtime)


def describe_image(task: Task, seen: DecodedImage | Unchanged | Skipped, embedder: Embedder) -> Result:
    """Step 2: run the network on a decoded image. Skipped and unchanged files pass through."""
    if not isinstance(seen, DecodedImage):
        return seen
    found = task.found
    looked = embedder.look(seen.pixels, (seen.width, seen.height))
    if not np.isfinite(looked.vectors).all() or not looked.vectors.any(axis=1).all():
        sentence = "The network computes no usable descriptor for this picture."
        return Skipped(found.id, "bad_vector", sentence, found.bytes, found.mtime)
    return DescribedImage(
        image=found.id,
        path=task.below,
        thumbnail=seen.thumbnail,
        keypoints=seen.keypoints,
        width=seen.width,
        height=seen.height,
        bytes=seen.bytes,
        mtime=seen.mtime,
        sha256=seen.sha256,
        regions=looked.regions,
        vectors=looked.vectors,
        class_scores=looked.class_scores,
    )
