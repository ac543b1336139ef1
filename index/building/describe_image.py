"""Describe the images of a file: decode them, then compute regions, descriptors and class scores, or say why not."""

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from index.building.decode_tasks import BadPlace, DecodedImage, Part, Several, Unchanged, Wanted
from index.building.decoder_pool import DecoderPool
from index.building.journal import DescribedImage
from index.storage.folder_scan import ScannedFile, Skipped
from index.storage.gallery_rules import BELOW_MIN_SIDE, small_sentence
from index.storage.sources import Reading
from index.storage.tables import ImageEntry
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.errors import UnreadableImage
from retrieval.images.limits import SOURCE_LIMITS, SourceLimits
from retrieval.images.places import join_id
from retrieval.printable_names import shown


@dataclass(frozen=True, slots=True)
class ImageTask:
    """A file whose images are to be described."""

    file: ScannedFile
    known: frozenset[str]
    """SHA-256 of indexed files of the same size. A match means the file was renamed or touched: Unchanged."""
    min_side: int = 0
    """A picture whose shorter side has fewer pixels is skipped."""
    incomplete: bool = False
    """Whether a picture of which a part is missing is described too."""
    limits: SourceLimits = SOURCE_LIMITS
    part: Part = "all"
    """What of it, if the file holds one picture. Its keypoints can be found later, by another task."""


@dataclass(frozen=True, slots=True)
class SourceEnd:
    """All images of a file that holds several have been described or skipped."""


@dataclass(frozen=True, slots=True)
class FoundKeypoints:
    """The keypoints of an image, and the SHA-256 of its file."""

    image: str
    sha256: str
    keypoints: bytes


Result = DescribedImage | FoundKeypoints | Unchanged | Skipped | SourceEnd
Decoded = DecodedImage | Unchanged | Skipped | SourceEnd


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

        A file that holds several images gives a result for each, and then a SourceEnd; others may come between them.
        Memory is bounded: work pauses while results are not consumed. Closing the generator stops the work.
        """


def decode_task(task: ImageTask, pool: DecoderPool, recipe: Recipe) -> Generator[Decoded]:
    """Step 1: read the file and decode its images to the input size of the recipe's network.

    If no page of a document can be used, the document is skipped as a whole.
    """
    file = task.file
    assert recipe.keypoints is not None  # only recipes of old indexes lack it, and builds never use those
    reading = Reading(task.limits, task.incomplete)
    wanted = Wanted(recipe.side, recipe.keypoints, recipe.tiled_from, recipe.tiles, recipe.stride, reading, task.part)
    holds_several, usable, unusable = False, False, list[Skipped]()
    try:
        with closing(pool.decode_source(file.path, wanted, task.known)) as pictures:
            for picture in pictures:
                if isinstance(picture, Several):
                    holds_several = True
                elif isinstance(picture, Unchanged):
                    yield picture
                    return
                elif isinstance(picture, BadPlace) or _is_small(picture, task):
                    skipped = _why_skipped(picture, task)
                    if usable or not holds_several:
                        yield skipped
                    else:
                        unusable.append(skipped)
                else:
                    yield from unusable
                    unusable, usable = [], True
                    yield picture
    except UnreadableImage as error:
        unusable = [Skipped(file.id, error.reason, str(error), file.bytes, file.mtime)]
    if usable and holds_several:
        yield SourceEnd()
    elif unusable:
        yield replace(unusable[0], file=file.id, place="")
    elif holds_several:
        sentence = f"{shown(file.path.name)} holds no picture."
        yield Skipped(file.id, "no_pictures", sentence, file.bytes, file.mtime)


def decode_alone(task: ImageTask, pool: DecoderPool, recipe: Recipe) -> DecodedImage | Unchanged | Skipped | None:
    """Step 1 for a file with one image; None if it holds several."""
    with closing(decode_task(task, pool, recipe)) as decoded:
        only = next(decoded)
    if isinstance(only, SourceEnd) or (isinstance(only, DecodedImage) and only.file_sha256):
        return None
    return None if isinstance(only, Skipped) and only.place else only


def _is_small(picture: DecodedImage, task: ImageTask) -> bool:
    return min(picture.width, picture.height) < task.min_side


def _why_skipped(picture: DecodedImage | BadPlace, task: ImageTask) -> Skipped:
    file, image = task.file, join_id(task.file.id, picture.place)
    if isinstance(picture, BadPlace):
        return Skipped(image, picture.reason, picture.sentence, file.bytes, file.mtime, picture.place)
    name = join_id(file.path.name, picture.place)
    sentence = small_sentence(name, (picture.width, picture.height), task.min_side)
    return Skipped(image, BELOW_MIN_SIDE, sentence, file.bytes, file.mtime, picture.place)


def describe_image(task: ImageTask, decoded: Decoded, embedder: Embedder) -> Result:
    """Step 2: run the network on a decoded image. Skipped and unchanged files, and ends of files, pass through."""
    if not isinstance(decoded, DecodedImage):
        return decoded
    file, width, height = task.file, decoded.width, decoded.height
    image = join_id(file.id, decoded.place)
    if task.part == "keypoints" and not decoded.file_sha256:
        return FoundKeypoints(image, decoded.sha256, decoded.keypoints)
    described = embedder.describe(decoded.pixels, (width, height), decoded.tiles)
    if not np.isfinite(described.vectors).all() or not described.vectors.any(axis=1).all():
        sentence = "A descriptor of this picture is zero or not finite, so the picture cannot be indexed."
        return Skipped(image, "bad_vector", sentence, file.bytes, file.mtime, decoded.place)
    return DescribedImage(
        ImageEntry(
            *(image, file.relative, width, height, decoded.bytes, decoded.mtime, decoded.sha256, decoded.taken),
            place=decoded.place,
            file_sha256=decoded.file_sha256,
        ),
        decoded.thumbnail,
        decoded.keypoints,
        described.regions,
        described.vectors,
        described.class_scores,
        has_keypoints=task.part == "all" or bool(decoded.file_sha256),
    )
