"""Pictures are looked at on this machine: processes decode them, threads take them through the network."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from index.building.decoder_pool import DecoderPool
from index.building.describe_image import Result, Task, decode_task, describe_image
from index.storage.folder_scan import Found
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder

AHEAD = 4
"""Pictures that may wait, described, for each thread: bounds memory when writing is slower than looking."""


@dataclass(frozen=True, slots=True)
class ThreadExecutor:
    """A Look whose results come in the order of the tasks, however many work."""

    embedder: Embedder
    pool: DecoderPool
    workers: int = 1

    def __call__(self, tasks: Iterable[Task]) -> Generator[tuple[Found, Result]]:
        # One thread a matrix product: left alone, those of all workers fight over the cores (a third of the speed).
        with ThreadPoolExecutor(self._threads()) as threads, one_blas_thread():
            under_way: deque[tuple[Found, Future[Result]]] = deque()
            try:
                for task in tasks:
                    under_way.append((task.found, threads.submit(self._look, task)))
                    if len(under_way) > AHEAD * self._threads():
                        done, future = under_way.popleft()
                        yield done, future.result()
                while under_way:
                    done, future = under_way.popleft()
                    yield done, future.result()
            finally:
                threads.shutdown(wait=False, cancel_futures=True)  # nobody waits for what nobody wants any more

    def _threads(self) -> int:
        """Two more than workers: those wait for their pictures while others compute. For a GPU those of two batches."""
        if self.embedder.at_once > 1:
            return max(self.workers, 2 * self.embedder.at_once)
        return self.workers + 2 if self.workers > 1 else 1

    def _look(self, task: Task) -> Result:
        return describe_image(task, decode_task(task, self.pool, self.embedder.recipe), self.embedder)
