"""Pictures go through the network, many at a time, and into the journal."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import numpy as np
from threadpoolctl import threadpool_limits

from index.compare import Plan
from index.folder import Found, Skipped
from index.journal import Described, Journal
from index.pictures import PicturePool, Same
from retrieval.embed import Embedder
from retrieval.errors import UnreadableImage
from retrieval.weights import Progress
from retrieval.whitening import SAMPLE, learn_whitening

AHEAD = 4
"""Pictures that may wait, described, for each thread: bounds memory when writing is slower than looking."""


def look_at_all(
    plan: Plan, embedder: Embedder, pool: PicturePool, workers: int, journal: Journal, progress: Progress
) -> None:
    """Does what is to be done. The whitening is learned on the way, when enough is there to learn it from."""
    waiting = journal.waiting() if journal.whitening is None else 0  # regions
    # Closed before the pool is: a thread that waits for a picture from a pool that has stopped waits for ever.
    with closing(_describe_all(plan, embedder, pool, workers)) as results:
        for count, (picture, result) in enumerate(results, start=1):
            progress("Looking at pictures", count, len(plan.to_do))
            if isinstance(result, Skipped):
                plan.skipped.append(result)
                journal.add_skipped(result)
            elif isinstance(result, Same):
                assert plan.base is not None
                plan.take(picture, plan.base.of_hash(result.sha256, picture.id), result.mtime)
            else:
                plan.made.add(result.image)
                journal.add(result)
                waiting += len(result.vectors)
            if journal.whitening is None and waiting >= SAMPLE:
                _learn(journal, embedder, workers, progress)
    if journal.whitening is None and plan.made:
        _learn(journal, embedder, workers, progress)
    plan.to_do.clear()
    journal.save()


def _describe_all(
    plan: Plan, embedder: Embedder, pool: PicturePool, workers: int
) -> Generator[tuple[Found, Described | Same | Skipped]]:
    # One thread a matrix product: left alone, those of all workers fight over the cores (a third of the speed).
    with ThreadPoolExecutor(_threads(embedder, workers)) as threads, threadpool_limits(1, "blas"):
        under_way: deque[tuple[Found, Future[Described | Same | Skipped]]] = deque()
        try:
            for picture in plan.to_do:
                under_way.append((picture, threads.submit(_describe, picture, plan, embedder, pool)))
                if len(under_way) > AHEAD * _threads(embedder, workers):
                    done, future = under_way.popleft()
                    yield done, future.result()
            while under_way:
                done, future = under_way.popleft()
                yield done, future.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)  # nobody waits for what nobody wants any more


def _threads(embedder: Embedder, workers: int) -> int:
    """One more than workers: it waits for its picture while the others compute. For a GPU those of two batches."""
    if embedder.at_once > 1:
        return max(workers, 2 * embedder.at_once)
    return workers + 1 if workers > 1 else 1


def _describe(found: Found, plan: Plan, embedder: Embedder, pool: PicturePool) -> Described | Same | Skipped:
    try:
        seen = pool.look(found.path, embedder.recipe.side, plan.base.hashes(found) if plan.base else frozenset())
    except UnreadableImage as error:
        return Skipped(found.id, error.reason, str(error), found.bytes, found.mtime)
    if isinstance(seen, Same):
        return seen
    looked = embedder.look(seen.pixels, (seen.width, seen.height))
    if not np.isfinite(looked.vectors).all() or not looked.vectors.any(axis=1).all():
        sentence = "The network sees nothing in this picture."
        return Skipped(found.id, "bad_vector", sentence, found.bytes, found.mtime)
    return Described(
        image=found.id,
        path=bytes(found.path.relative_to(plan.gallery)),
        thumbnail=seen.thumbnail,
        keypoints=seen.keypoints,
        width=seen.width,
        height=seen.height,
        bytes=seen.bytes,
        mtime=seen.mtime,
        sha256=seen.sha256,
        regions=looked.regions,
        vectors=looked.vectors,
        kinds=looked.kinds,
    )


def _learn(journal: Journal, embedder: Embedder, workers: int, progress: Progress) -> None:
    progress("Learning what tells these pictures apart", 0, 0)
    pictures = journal.raw()
    images = np.repeat(np.arange(len(pictures)), [len(vectors) for vectors in pictures])
    with threadpool_limits(workers, "blas"):  # the others wait for it
        whitening = learn_whitening(np.concatenate(pictures), images, embedder.recipe.dimensions)
    journal.learn(whitening, len(pictures))
