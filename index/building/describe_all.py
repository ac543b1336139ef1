"""Describe all planned images, store them in the journal, and learn the whitening."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from index.building.decode_tasks import Part, Unchanged
from index.building.describe_image import Executor, FoundKeypoints, ImageTask, Result, SourceEnd
from index.building.journal import DescribedImage, Journal
from index.building.reading_order import recent_first
from index.building.update_plan import Plan, refuse_when_away
from index.storage.folder_scan import Skipped
from index.storage.picture_contents import contents_of
from retrieval.descriptors.contrastive import refine_whitening
from retrieval.descriptors.whitening import SAMPLE, learn_whitening
from retrieval.memory_trim import trim_memory
from retrieval.regions.tiles import TILE
from retrieval.types import Progress

READING, FINDING = "Reading pictures", "Finding details"
"""The stages of a build that describe the pictures, and then find their keypoints."""


Again = Callable[[], None]
"""Reports the same progress again."""


def _nothing(_: Again) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What happens while pictures are described."""

    after_file: Callable[[Again], None] = _nothing
    """Called after a file was read and its pictures are in the journal."""
    after_reading: Callable[[Again], None] = _nothing
    """Called when all have been read, and from time to time while the keypoints of the last ones are found."""
    keypoints_later: bool = False
    """Whether all pictures are described before their keypoints are found, which takes about as long."""
    index_dir: Path | None = None
    """Where searches note what they find: the keypoints of those pictures are found first. None for any order."""


def describe_all(
    plan: Plan, executor: Executor, journal: Journal, progress: Progress, meanwhile: Meanwhile = Meanwhile()
) -> None:
    """Execute the plan. The whitening is learned once SAMPLE regions are available, or at the end.

    It is not learned from tiles: large pictures would count five times, and fewer pictures take part. It needs the
    keypoints of its pictures, so these are found before. Raises GalleryProblem if a folder has gone meanwhile: what
    was read stays in the journal.
    """
    part: Part = "without keypoints" if meanwhile.keypoints_later else "all"
    while _read(plan, plan.tasks(part), executor, journal, progress, meanwhile.after_file):
        _find_keypoints(plan, executor, journal, progress)
        if journal.whitening is None:
            _learn(journal, executor, progress)
    if plan.has_missing:
        refuse_when_away(plan)  # before a whitening is learned from what is left
    if journal.without_keypoints():
        _find_keypoints(plan, executor, journal, progress, meanwhile)
    if journal.whitening is None and plan.described:
        _learn(journal, executor, progress)
    journal.save()


def _read(
    plan: Plan,
    tasks: Iterable[ImageTask],
    executor: Executor,
    journal: Journal,
    progress: Progress,
    after_file: Callable[[Again], None] = _nothing,
) -> bool:
    """Describe pictures. Whether it stopped because the whitening can be learned when their keypoints are found."""
    unwhitened = 0 if journal.whitening else sum(len(boxes) for _, _, boxes in journal.regions())
    # Close the executor before the decoder pool: a thread that waits for a stopped pool would wait forever.
    with closing(executor(tasks)) as results:
        begun: set[str] = set()  # files that hold several pictures, until their end
        for picture, result in results:
            has_ended = isinstance(result, SourceEnd)
            if picture.id not in begun:
                journal.forget(picture.id)  # pages of an earlier version of the file
                begun.add(picture.id)
            if has_ended or not _is_one_of_several(result):
                begun.remove(picture.id)
                plan.read.add(picture.id)
            again = partial(progress, READING, max(len(plan.read), 1), len(plan.to_do))
            again()
            if isinstance(result, SourceEnd):
                plan.described |= journal.finish(picture.id)
            elif isinstance(result, Skipped):
                plan.skipped.append(result)
                journal.add_skipped(result)
            elif isinstance(result, Unchanged):
                assert plan.base is not None
                plan.reuse(picture, plan.base.of_hash(result.sha256, picture.id), result.mtime)
            elif isinstance(result, DescribedImage):
                journal.add(result)
                if not result.entry.file_sha256:
                    plan.described.add(picture.id)
                unwhitened += sum(region.kind != TILE for region in result.regions)
            if journal.whitening is None and unwhitened >= SAMPLE:
                if journal.without_keypoints().keys() & plan.described:
                    return True
                _learn(journal, executor, progress)
            if picture.id in plan.read:
                after_file(again)
    return False


def _find_keypoints(
    plan: Plan, executor: Executor, journal: Journal, progress: Progress, meanwhile: Meanwhile = Meanwhile()
) -> None:
    """Find the keypoints of described pictures that lack them. A file that has changed meanwhile is read again."""
    expected = {image: sha256 for image, sha256 in journal.without_keypoints().items() if image in plan.described}
    stale: set[str] = set()
    order = _recent_first(expected, meanwhile.index_dir) if meanwhile.index_dir else iter(expected)
    tasks = (plan.task(plan.found[image], frozenset(), "keypoints") for image in order)
    with closing(executor(tasks)) as results:
        for count, (picture, result) in enumerate(results, start=1):
            again = partial(progress, FINDING, min(count, len(expected)), len(expected))
            again()
            if isinstance(result, FoundKeypoints) and result.sha256 == expected[result.image]:
                journal.add_keypoints(result.image, result.keypoints)
                plan.keypoints_found += 1
                meanwhile.after_reading(again)
            else:
                stale.add(picture.id)
    if stale:
        refuse_when_away(plan)
        changed = [plan.found[image] for image in expected if image in stale]
        plan.described -= stale
        plan.to_do += [picture for picture in changed if picture not in plan.to_do]
        for picture in changed:
            journal.forget(picture.id)
        _read(plan, [plan.task(picture, frozenset()) for picture in changed], executor, journal, progress)


def _recent_first(hashes: Mapping[str, str], index_dir: Path) -> Iterator[str]:
    """These images, known by the SHA-256 of their files: the finds of recent searches first."""
    same: dict[int, list[str]] = {}
    for image, contents in zip(hashes, contents_of([*hashes.values()]).tolist(), strict=True):
        same.setdefault(contents, []).append(image)
    return (image for _, images in recent_first(same, index_dir) for image in images)


def _is_one_of_several(result: Result) -> bool:
    """Whether more results of the same file follow."""
    if isinstance(result, DescribedImage):
        return bool(result.entry.file_sha256)
    return isinstance(result, Skipped) and bool(result.place)


def _learn(journal: Journal, executor: Executor, progress: Progress) -> None:
    progress("Analysing your gallery", 0, 0)
    ids, vectors_of_each, boxes_of_each = zip(*journal.regions(), strict=True)
    images = np.repeat(np.arange(len(ids)), [len(boxes) for boxes in boxes_of_each])
    vectors, boxes = np.concatenate(vectors_of_each), list(chain.from_iterable(boxes_of_each))
    del vectors_of_each  # up to 300 MB
    whitening = learn_whitening(vectors, images, executor.embedder.recipe.dimensions)
    refined = refine_whitening(whitening, vectors, images, boxes, lambda image: journal.keypoints(ids[image]))
    del vectors
    trim_memory()
    journal.learn(refined, len(ids))
