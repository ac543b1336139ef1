"""Ray actors for the two steps of describing images, decode and describe: blocks in, blocks out."""

import logging
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from index.building.decode_tasks import DecodedImage, Unchanged
from index.building.decoder_pool import DecoderPool
from index.building.describe_image import ImageTask, Result, decode_alone, describe_image
from index.storage.folder_scan import Skipped
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.errors import BoxfindError

log = logging.getLogger(__name__)
SCHEMA = pa.schema([("number", pa.int64()), ("data", pa.large_binary())])


@dataclass(frozen=True, slots=True)
class DecodedTask:
    """Output of the decode step, with the host name of the machine."""

    task: ImageTask
    decoded: DecodedImage | Unchanged | Skipped
    host: str


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The result of an image, or the problem of a machine that cannot process any image.

    Without either, the file holds several images, which the machine that builds reads itself.
    """

    host: str
    result: Result | None
    problem: str = ""


def block_of(rows: Iterable[tuple[int, ImageTask | DecodedTask | TaskResult]]) -> pa.Table:
    """Pickle numbered rows into a block. Blocks stay in the cluster; we never write them to disk."""
    numbers, data = zip(*rows, strict=True)
    return pa.table([numbers, [pickle.dumps(item) for item in data]], schema=SCHEMA)


def rows_of(block: pa.Table) -> Iterator[tuple[int, Any]]:
    for number, data in zip(*(column.to_pylist() for column in block.columns), strict=True):
        yield number, pickle.loads(data)


class Decode:
    """Step 1: read and decode images, in a separate process with time and memory limits."""

    def __init__(self, recipe: Recipe) -> None:
        self._pool = DecoderPool(1)
        self._recipe = recipe

    def __call__(self, block: pa.Table) -> pa.Table:
        """Tasks -> DecodedTasks, or TaskResults with the problem of this machine."""
        return block_of((number, self._decoded(task)) for number, task in rows_of(block))

    def _decoded(self, task: ImageTask) -> DecodedTask | TaskResult:
        try:
            decoded, host = decode_alone(task, self._pool, self._recipe), socket.gethostname()
            return TaskResult(host, None) if decoded is None else DecodedTask(task, decoded, host)
        except Exception as error:
            return _problem(error)


class Describe:
    """Step 2: run the network, created on the first block; in batches on a GPU."""

    def __init__(self, make: Callable[[], Embedder]) -> None:
        self._make = make
        self._embedder: Embedder | None = None

    def __call__(self, block: pa.Table) -> pa.Table:
        """DecodedTasks -> TaskResults."""
        numbers, decoded = zip(*rows_of(block), strict=True)
        with one_blas_thread():  # every actor has its own CPU
            try:
                embedder = self._started()
            except Exception as error:
                return block_of((number, _problem(error)) for number in numbers)
            return block_of(zip(numbers, self._threads.map(lambda one: _answer(one, embedder), decoded), strict=True))

    def _started(self) -> Embedder:
        if self._embedder is None:
            embedder = self._make()
            self._threads = ThreadPoolExecutor(embedder.at_once)
            self._embedder = embedder
        return self._embedder


def _answer(step: DecodedTask | TaskResult, embedder: Embedder) -> TaskResult:
    if isinstance(step, TaskResult):
        return step
    try:
        return TaskResult(step.host, describe_image(step.task, step.decoded, embedder))
    except Exception as error:
        return _problem(error)


def _problem(error: Exception) -> TaskResult:
    """A problem of this machine, not of an image: the build stops, instead of skipping every image sent here."""
    if isinstance(error, BoxfindError):
        return TaskResult(socket.gethostname(), None, str(error))
    log.exception("A picture could not be processed.")
    return TaskResult(socket.gethostname(), None, f"{type(error).__name__}: {error}")
