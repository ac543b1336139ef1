"""Describe images on this machine: processes decode, threads run the network."""

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

from index.building.decoder_pool import DecoderPool
from index.building.describe_image import ImageTask, Result, decode_task, describe_image
from index.storage.folder_scan import ScannedFile
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder

AHEAD = 4
"""Files that may be under way per thread. Bounds memory if writing is slower than describing."""
WAITING = 8
"""Described images of a file that may wait to be taken; a thread waits with the next one."""


@dataclass(slots=True)
class _UnderWay:
    """A file, and its results that have not been taken."""

    file: ScannedFile
    results: deque[Result] = field(default_factory=deque)
    has_ended: bool = False
    error: BaseException | None = None


class _Results:
    """Results of files that threads describe at the same time, in the order of the files.

    Decoders that wait until the results of a later file are taken could keep the first one from its turn. So, while the
    first has none, those of a later file that wait are taken.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._files: deque[_UnderWay] = deque()
        self._stopped = False

    def __len__(self) -> int:
        return len(self._files)

    def begin(self, file: ScannedFile) -> _UnderWay:
        self._files.append(_UnderWay(file))
        return self._files[-1]

    def put_all(self, of: _UnderWay, results: Generator[Result]) -> None:
        """Describe a file. Waits while WAITING of its results have not been taken."""
        try:
            with closing(results):
                for result in results:
                    with self._changed:
                        self._changed.wait_for(lambda: self._stopped or len(of.results) < WAITING)
                        if self._stopped:
                            return
                        of.results.append(result)
                        self._changed.notify_all()
        except BaseException as error:
            of.error = error
        finally:
            with self._changed:
                of.has_ended = True
                self._changed.notify_all()

    def take_first(self) -> Iterator[tuple[ScannedFile, Result]]:
        """The results of the first file, and those of later files that have to be taken meanwhile."""
        first = self._files[0]
        while True:
            with self._changed:
                self._changed.wait_for(lambda: first.results or first.has_ended or self._full())
                of = first if first.results or first.has_ended else self._full()
                assert of is not None
                if not of.results:
                    self._files.popleft()
                    if first.error is not None:
                        raise first.error
                    return
                result = of.results.popleft()
                self._changed.notify_all()
            yield of.file, result

    def stop(self) -> None:
        """Let threads that wait end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _full(self) -> _UnderWay | None:
        return next((of for of in self._files if len(of.results) >= WAITING), None)


@dataclass(frozen=True, slots=True)
class ThreadExecutor:
    """An Executor that yields results in task order, but for files with so many images that others have to wait."""

    embedder: Embedder
    pool: DecoderPool
    workers: int = 1

    def __call__(self, tasks: Iterable[ImageTask]) -> Generator[tuple[ScannedFile, Result]]:
        results = _Results()
        # One BLAS thread per matrix product: otherwise the workers compete for the cores, at a third of the speed.
        with ThreadPoolExecutor(self._threads()) as threads, one_blas_thread():
            try:
                for task in tasks:
                    threads.submit(results.put_all, results.begin(task.file), self._describe(task))
                    if len(results) > AHEAD * self._threads():
                        yield from results.take_first()
                while len(results):
                    yield from results.take_first()
            finally:
                results.stop()
                threads.shutdown(wait=False, cancel_futures=True)  # the results are no longer needed

    def _threads(self) -> int:
        """Two more than the workers, to hide the wait for decoding. On a GPU enough threads for two batches."""
        if self.embedder.at_once > 1:
            return max(self.workers, 2 * self.embedder.at_once)
        return self.workers + 2 if self.workers > 1 else 1

    def _describe(self, task: ImageTask) -> Generator[Result]:
        with closing(decode_task(task, self.pool, self.embedder.recipe)) as decoded:
            for image in decoded:
                yield describe_image(task, image, self.embedder)
