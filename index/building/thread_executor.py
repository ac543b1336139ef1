"""Describe images on this machine: processes decode, threads run the network."""

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass

from index.building.decoder_pool import DecoderPool
from index.building.describe_image import ImageTask, Result, decode_task, describe_image
from index.building.ordered_results import ordered_results
from index.storage.folder_scan import ScannedFile
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder


@dataclass(frozen=True, slots=True)
class ThreadExecutor:
    """An Executor that yields results in task order, but for files with so many images that others have to wait."""

    embedder: Embedder
    pool: DecoderPool
    workers: int = 1

    def __call__(self, tasks: Iterable[ImageTask]) -> Generator[tuple[ScannedFile, Result]]:
        # One BLAS thread per matrix product: otherwise the workers compete for the cores, at a third of the speed.
        with one_blas_thread(), closing(ordered_results(self._describe, tasks, self._threads())) as results:
            for task, result in results:
                yield task.file, result

    def _threads(self) -> int:
        """Two more than the workers, to hide the wait for decoding. On a GPU enough threads for two batches."""
        if self.embedder.at_once > 1:
            return max(self.workers, 2 * self.embedder.at_once)
        return self.workers + 2 if self.workers > 1 else 1

    def _describe(self, task: ImageTask) -> Generator[Result]:
        with closing(decode_task(task, self.pool, self.embedder.recipe)) as decoded:
            for image in decoded:
                yield describe_image(task, image, self.embedder)
