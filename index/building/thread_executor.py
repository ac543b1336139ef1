"""Describe images on this machine: processes decode, threads run the network."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from index.building.decoder_pool import DecoderPool
from index.building.describe_image import ImageTask, Result, decode_task, describe_image
from index.storage.folder_scan import ScannedFile
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder

AHEAD = 4
"""Described images that may wait per thread. Bounds memory if writing is slower than describing."""


@dataclass(frozen=True, slots=True)
class ThreadExecutor:
    """An Executor that yields results in task order."""

    embedder: Embedder
    pool: DecoderPool
    workers: int = 1

    def __call__(self, tasks: Iterable[ImageTask]) -> Generator[tuple[ScannedFile, Result]]:
        # One BLAS thread per matrix product: otherwise the workers compete for the cores, at a third of the speed.
        with ThreadPoolExecutor(self._threads()) as threads, one_blas_thread():
            under_way: deque[tuple[ScannedFile, Future[Result]]] = deque()
            try:
                for task in tasks:
                    under_way.append((task.file, threads.submit(self._describe, task)))
                    if len(under_way) > AHEAD * self._threads():
                        done, future = under_way.popleft()
                        yield done, future.result()
                while under_way:
                    done, future = under_way.popleft()
                    yield done, future.result()
            finally:
                threads.shutdown(wait=False, cancel_futures=True)  # the results are no longer needed

    def _threads(self) -> int:
        """Two more than the workers, to hide the wait for decoding. On a GPU enough threads for two batches."""
        if self.embedder.at_once > 1:
            return max(self.workers, 2 * self.embedder.at_once)
        return self.workers + 2 if self.workers > 1 else 1

    def _describe(self, task: ImageTask) -> Result:
        return describe_image(task, decode_task(task, self.pool, self.embedder.recipe), self.embedder)
