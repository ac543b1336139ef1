"""Describe all planned images, store them in the journal, and learn the whitening."""

from contextlib import closing
from itertools import chain

import numpy as np

from index.building.decode_tasks import Unchanged
from index.building.describe_image import Executor, Result, SourceEnd
from index.building.journal import DescribedImage, Journal
from index.building.update_plan import Plan
from index.storage.folder_scan import Skipped
from retrieval.descriptors.contrastive import refine_whitening
from retrieval.descriptors.whitening import SAMPLE, learn_whitening
from retrieval.memory_trim import trim_memory
from retrieval.regions.tiles import TILE
from retrieval.types import Progress


def describe_all(plan: Plan, executor: Executor, journal: Journal, progress: Progress) -> None:
    """Execute the plan. The whitening is learned once SAMPLE regions are available, or at the end.

    It is not learned from tiles: large pictures would count five times, and fewer pictures take part.
    """
    unwhitened = 0 if journal.whitening else sum(len(boxes) for _, _, boxes in journal.regions())
    # Close the executor before the decoder pool: a thread that waits for a stopped pool would wait forever.
    with closing(executor(plan.tasks())) as results:
        begun: set[str] = set()  # files that hold several pictures, until their end
        count = 0
        for picture, result in results:
            has_ended = isinstance(result, SourceEnd)
            if picture.id not in begun:
                journal.forget(picture.id)  # pages of an earlier version of the file
                begun.add(picture.id)
            if has_ended or not _is_one_of_several(result):
                begun.remove(picture.id)
                count += 1
            progress("Reading pictures", max(count, 1), len(plan.to_do))
            if isinstance(result, SourceEnd):
                plan.described |= journal.finish(picture.id)
            elif isinstance(result, Skipped):
                plan.skipped.append(result)
                journal.add_skipped(result)
            elif isinstance(result, Unchanged):
                assert plan.base is not None
                plan.reuse(picture, plan.base.of_hash(result.sha256, picture.id), result.mtime)
            else:
                journal.add(result)
                if not result.entry.file_sha256:
                    plan.described.add(picture.id)
                unwhitened += sum(region.kind != TILE for region in result.regions)
            if journal.whitening is None and unwhitened >= SAMPLE:
                _learn(journal, executor, progress)
    if journal.whitening is None and plan.described:
        _learn(journal, executor, progress)
    journal.save()


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
