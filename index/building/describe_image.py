"""One picture is looked at: its file becomes all that an index keeps of it, or a sentence that says why it cannot."""

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
    """A picture to look at, and what must be known of the gallery and its last generation to do so."""

    found: Found
    below: bytes
    """Its path below the gallery folder, as the disk spells it."""
    known: frozenset[str]
    """The SHA-256 of pictures that it may be, under another name or with another time: then it is the Same."""


Result = DescribedImage | Unchanged | Skipped


class Executor(Protocol):
    """Describes many pictures for a build: on this machine (thread_executor.py) or on Ray (ray_executor.py)."""

    @property
    def embedder(self) -> Embedder:
        """What pictures are described by."""

    @property
    def workers(self) -> int:
        """Threads of this machine that the build may use."""

    def __call__(self, tasks: Iterable[Task]) -> Generator[tuple[Found, Result]]:
        """Every picture once, in the order given but for those that had to be tried again.

        Memory is bounded: where results are not taken, no more pictures are looked at. Closing the generator ends the
        work. Raises ClusterProblem.
        """


def decode_task(task: Task, pool: DecoderPool, recipe: Recipe) -> DecodedImage | Unchanged | Skipped:
    """The first half: the file is read and decoded, as large as the network of the recipe takes it."""
    found = task.found
    assert recipe.keypoints is not None  # only a stored recipe may lack it, and nothing is built by such a one
    try:
        return pool.look(found.path, recipe.side, recipe.keypoints, task.known)
    except UnreadableImage as error:
        return Skipped(found.id, error.reason, str(error), found.bytes, found.mtime)


def describe_image(task: Task, seen: DecodedImage | Unchanged | Skipped, embedder: Embedder) -> Result:
    """The second half: the network looks at the pixels. What is no picture, or no new one, stays what it is."""
    if not isinstance(seen, DecodedImage):
        return seen
    found = task.found
    looked = embedder.look(seen.pixels, (seen.width, seen.height))
    if not np.isfinite(looked.vectors).all() or not looked.vectors.any(axis=1).all():
        sentence = "The network sees nothing in this picture."
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
