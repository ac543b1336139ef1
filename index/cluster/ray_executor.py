"""Pictures are looked at on a Ray cluster: its processors decode, its GPUs, where it has any, run the network."""

import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from index.building.describe_image import Result, Task
from index.cluster.ray_cluster import first_line
from index.cluster.ray_stages import Decode, Describe, TaskResult, block_of, rows_of
from index.storage.folder_scan import Found, Skipped
from retrieval.descriptors.embedder import Embedder
from retrieval.errors import ClusterProblem, UnreadableImage
from retrieval.images.decode import read_file
from retrieval.printable_names import shown

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK, GPU_BLOCK = 4, 32
"""Pictures that go from process to process together."""
BLOCKS = 10_000
"""That are given to Ray at a time: it remembers something of each until all of them are done."""
RETRIES = 1
"""How often a block whose process died is given to another one, before its pictures are tried one by one."""
OF_THE_PLACE = ("missing", "permission", "unreadable")
"""Reasons for which one machine may leave out a picture that others can read."""


@dataclass(frozen=True, slots=True)
class Crew:
    """How many processes work on each half, what each of them takes of the cluster, and how many pictures at a time."""

    decoders: int
    networks: int
    decoder: dict[str, float]
    network: dict[str, float]
    block: int


@dataclass(frozen=True, slots=True)
class RayExecutor:
    """A Look, for the body of `joined`. `make` makes the embedder again where the work is done: it must be picklable.

    A process that dies is replaced, and its pictures are looked at again; one that kills whoever looks at it is left
    out as `decoder_crash`.
    """

    embedder: Embedder
    make: Callable[[], Embedder]
    workers: int = 1
    gpus: bool = True
    """Whether GPUs can run this network; where there is none processors do."""

    def __call__(self, tasks: Iterable[Task]) -> Generator[tuple[Found, Result]]:
        rest, crew = iter(tasks), find_crew(self.gpus)
        while part := list(islice(rest, BLOCKS * crew.block)):
            lost = yield from self._looked_at(part, crew, crew.block)
            crashed = yield from self._looked_at(lost, crew, 1)
            if len(crashed) == len(part) > 1:
                raise ClusterProblem("On the Ray cluster every process dies before it has looked at a single picture.")
            for task in crashed:
                yield task.found, _crashed(task.found)

    def _looked_at(self, tasks: list[Task], crew: Crew, size: int) -> Generator[tuple[Found, Result], None, list[Task]]:
        """What became of the pictures; returns those that were lost with the processes that looked at them."""
        waiting = dict(enumerate(tasks))
        if not waiting:
            return []
        with closing(self._stream(tasks, crew, size)) as blocks:
            for number, answer in (row for block in blocks for row in rows_of(block)):
                task = waiting.pop(number, None)
                if task is not None:  # a machine that was thought dead may answer after all
                    yield task.found, _believed(answer, task.found)
        return list(waiting.values())

    def _stream(self, tasks: list[Task], crew: Crew, size: int) -> "Generator[pa.Table]":
        """Blocks of answers, in order, but for those that were lost."""
        import ray.data

        def pool(count: int, needs: dict[str, float]) -> dict[str, Any]:
            # A process that dies takes along whatever waits for it: when pictures are tried one by one, nothing does.
            waiting = 1 if size == 1 else None
            strategy = ray.data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=waiting)
            whole = {"batch_size": None, "batch_format": "pyarrow", "zero_copy_batch": True}
            return {"compute": strategy, "max_task_retries": RETRIES, **whole, **needs}

        numbered = enumerate(tasks)
        blocks = []
        while rows := list(islice(numbered, size)):
            blocks.append(block_of(rows))
        first, second = min(crew.decoders, len(blocks)), min(crew.networks, len(blocks))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # max_task_retries will move: it has no other place yet
            data = (
                ray.data.from_arrow(blocks)
                .map_batches(Decode, fn_constructor_args=(self.embedder.recipe,), **pool(first, crew.decoder))
                .map_batches(Describe, fn_constructor_args=(self.make,), **pool(second, crew.network))
            )
        try:
            with closing(iter(data.iter_batches(batch_size=None, batch_format="pyarrow"))) as answers:
                yield from answers
        except ray.exceptions.RayError as error:
            raise ClusterProblem(f"Ray gave up: {first_line(error)}") from None


def find_crew(gpus: bool) -> Crew:
    """Of what is free in the cluster. Raises ClusterProblem when nothing is."""
    import ray

    free = ray.available_resources()
    cpus, cards = int(free.get("CPU", 0)), int(free.get("GPU", 0)) if gpus else 0
    if not cpus:
        raise ClusterProblem("All processors of the Ray cluster are taken; try again when some are free.")
    if cards:
        return Crew(cpus, cards, {"num_cpus": 1}, {"num_cpus": 0, "num_gpus": 1}, GPU_BLOCK)
    return Crew(cpus, cpus, {"num_cpus": 0.5}, {"num_cpus": 0.5}, BLOCK)  # each half is about half of the work


def _believed(answer: TaskResult, found: Found) -> Result:
    """Raises ClusterProblem where it is the machine's fault, and not the picture's, that there is no good answer."""
    if answer.result is None:
        raise ClusterProblem(f"{answer.host} cannot look at pictures: {answer.problem}")
    if isinstance(answer.result, Skipped) and answer.result.reason in OF_THE_PLACE and _readable(found):
        raise ClusterProblem(
            f"{answer.host} cannot read {shown(found.path.name)}, which can be read here: the gallery must lie at the "
            f"same path on every machine of the cluster, here {found.path.parent}."
        )
    return answer.result


def _readable(found: Found) -> bool:
    try:
        read_file(found.path)
    except UnreadableImage:
        return False
    return True


def _crashed(found: Found) -> Skipped:
    sentence = f"{shown(found.path.name)} crashes the process that looks at it; save it anew."
    return Skipped(found.id, "decoder_crash", sentence, found.bytes, found.mtime)
