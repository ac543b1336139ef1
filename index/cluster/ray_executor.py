"""Describe images on a Ray cluster: CPUs decode, GPUs (if any) run the network."""

import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from index.building.decoder_pool import DecoderPool
from index.building.describe_image import ImageTask, Result
from index.building.thread_executor import ThreadExecutor
from index.cluster.ray_stages import Decode, Describe, TaskResult, block_of, rows_of
from index.storage.folder_scan import ScannedFile, Skipped
from retrieval.descriptors.embedder import Embedder
from retrieval.errors import ClusterProblem, UnreadableImage, first_line
from retrieval.images.decode import read_file
from retrieval.printable_names import shown

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK, GPU_BLOCK = 4, 32
"""Images per block, the unit passed between processes."""
BLOCKS = 10_000
"""Blocks submitted per dataset. Ray keeps metadata of each until the dataset is done."""
RETRIES = 1
"""Retries of a block whose process died, before its images are tried one by one."""
MACHINE_REASONS = ("missing", "permission", "unreadable")
"""Skip reasons that may be the fault of one machine: others may be able to read the file."""


@dataclass(frozen=True, slots=True)
class ActorPools:
    """Number of actors per step, the Ray resources of each, and images per block."""

    decoders: int
    networks: int
    decoder: dict[str, float]
    network: dict[str, float]
    block: int


@dataclass(frozen=True, slots=True)
class RayExecutor:
    """An Executor, for the body of `joined`. `make` creates the embedder on each machine and must be picklable.

    Files that hold several images, such as documents and films, are read on this machine. A process that dies is
    replaced and its images are retried. An image that kills every process that reads it is
    skipped as `decoder_crash`.
    """

    embedder: Embedder
    make: Callable[[], Embedder]
    workers: int = 1
    gpus: bool = True
    """Whether the network can run on GPUs. Without GPUs it runs on CPUs."""

    def __call__(self, tasks: Iterable[ImageTask]) -> Generator[tuple[ScannedFile, Result]]:
        rest, pools, several = iter(tasks), size_actor_pools(self.gpus), list[ImageTask]()
        while part := list(islice(rest, BLOCKS * pools.block)):
            lost = yield from self._described(part, pools, pools.block, several)
            crashed = yield from self._described(lost, pools, 1, several)
            if len(crashed) == len(part) > 1:
                raise ClusterProblem("Every process on the Ray cluster dies before it has read a picture.")
            for file in (task.file for task in crashed):
                sentence = f"{shown(file.path.name)} crashes the process that reads it; save it again."
                yield file, Skipped(file.id, "decoder_crash", sentence, file.bytes, file.mtime)
        if several:
            with DecoderPool(1) as pool:
                yield from ThreadExecutor(self.embedder, pool)(several)

    def _described(
        self, tasks: list[ImageTask], pools: ActorPools, size: int, several: list[ImageTask]
    ) -> Generator[tuple[ScannedFile, Result], None, list[ImageTask]]:
        """Yield the results; return the tasks lost with their processes. Adds files of several images to `several`."""
        waiting = dict(enumerate(tasks))
        if not waiting:
            return []
        with closing(self._stream(tasks, pools, size)) as blocks:
            for number, answer in (row for block in blocks for row in rows_of(block)):
                task = waiting.pop(number, None)
                if task is not None and answer.result is None and not answer.problem:
                    several.append(task)
                elif task is not None:  # a machine believed dead may still answer
                    yield task.file, _checked_result(answer, task.file)
        return list(waiting.values())

    def _stream(self, tasks: list[ImageTask], pools: ActorPools, size: int) -> "Generator[pa.Table]":
        """Yield result blocks in order, without lost ones."""
        import ray.data

        def pool(count: int, needs: dict[str, float]) -> dict[str, Any]:
            # A dying process loses its queued blocks: when trying images one by one, queue nothing.
            waiting = 1 if size == 1 else None
            strategy = ray.data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=waiting)
            whole = {"batch_size": None, "batch_format": "pyarrow", "zero_copy_batch": True}
            return {"compute": strategy, "max_task_retries": RETRIES, **whole, **needs}

        numbered = enumerate(tasks)
        blocks = []
        while rows := list(islice(numbered, size)):
            blocks.append(block_of(rows))
        first, second = min(pools.decoders, len(blocks)), min(pools.networks, len(blocks))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecation of max_task_retries, which has no replacement yet
            data = (
                ray.data.from_arrow(blocks)
                .map_batches(Decode, fn_constructor_args=(self.embedder.recipe,), **pool(first, pools.decoder))
                .map_batches(Describe, fn_constructor_args=(self.make,), **pool(second, pools.network))
            )
        try:
            with closing(iter(data.iter_batches(batch_size=None, batch_format="pyarrow"))) as answers:
                yield from answers
        except ray.exceptions.RayError as error:
            raise ClusterProblem(f"Ray failed: {first_line(error)}.") from None


def size_actor_pools(gpus: bool) -> ActorPools:
    """Size the actor pools by the cluster's free CPUs and GPUs. Raises ClusterProblem if no CPU is free."""
    import ray

    free = ray.available_resources()
    cpus, cards = int(free.get("CPU", 0)), int(free.get("GPU", 0)) if gpus else 0
    if not cpus:
        raise ClusterProblem("All CPUs of the Ray cluster are busy; try again later.")
    if cards:
        return ActorPools(cpus, cards, {"num_cpus": 1}, {"num_cpus": 0, "num_gpus": 1}, GPU_BLOCK)
    return ActorPools(cpus, cpus, {"num_cpus": 0.5}, {"num_cpus": 0.5}, BLOCK)  # both steps take about the same time


def _checked_result(answer: TaskResult, file: ScannedFile) -> Result:
    """The result of an answer. Raises ClusterProblem if the machine failed, not the image."""
    if answer.result is None:
        raise ClusterProblem(f"{answer.host} cannot process pictures: {answer.problem}")
    if isinstance(answer.result, Skipped) and answer.result.reason in MACHINE_REASONS and _readable(file):
        raise ClusterProblem(
            f"{answer.host} cannot read {shown(file.path.name)}, but this machine can. Mount the gallery at the same "
            f"path on every machine of the cluster: {file.path.parent}."
        )
    return answer.result


def _readable(file: ScannedFile) -> bool:
    try:
        read_file(file.path)
    except UnreadableImage:
        return False
    return True
