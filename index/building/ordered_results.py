"""Work on tasks in several threads, and yield their results in the order of the tasks."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Generic, TypeVar

AHEAD = 4
"""Tasks that may be under way per thread. Bounds memory if results are taken more slowly than made."""
WAITING = 8
"""Results of a task that may wait to be taken; a thread waits with the next one."""

T = TypeVar("T")
R = TypeVar("R")


def ordered_results(work: Callable[[T], Generator[R]], tasks: Iterable[T], threads: int) -> Generator[tuple[T, R]]:
    """Each task with each of its results, in order, but for tasks with so many results that others have to wait.

    Raises the first error of `work` in its place. Close the generator to drop the tasks that have not begun; those
    under way are waited for until their next result.
    """
    results = _Results[T, R]()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for task in tasks:
                pool.submit(results.put_all, results.begin(task), work)
                if len(results) > AHEAD * threads:
                    yield from results.take_first()
            while len(results):
                yield from results.take_first()
        finally:
            results.stop()
            pool.shutdown(wait=False, cancel_futures=True)  # the results are no longer needed


@dataclass(slots=True)
class _UnderWay(Generic[T, R]):
    """A task, and its results that have not been taken."""

    task: T
    results: deque[R] = field(default_factory=deque)
    has_ended: bool = False
    error: BaseException | None = None


class _Results(Generic[T, R]):
    """Results that threads make at the same time, in the order of the tasks.

    Work that waits until the results of a later task are taken could keep the first one from its turn, if both need the
    same decoders. So, while the first has none, those of a later task that wait are taken.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: deque[_UnderWay[T, R]] = deque()
        self._stopped = False

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, task: T) -> _UnderWay[T, R]:
        self._under_way.append(_UnderWay(task))
        return self._under_way[-1]

    def put_all(self, of: _UnderWay[T, R], work: Callable[[T], Generator[R]]) -> None:
        """Work on a task. Waits while WAITING of its results have not been taken."""
        try:
            with closing(work(of.task)) as results:
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

    def take_first(self) -> Iterator[tuple[T, R]]:
        """The results of the first task, and those of later tasks that have to be taken meanwhile."""
        first = self._under_way[0]
        while True:
            with self._changed:
                self._changed.wait_for(lambda: first.results or first.has_ended or self._full())
                of = first if first.results or first.has_ended else self._full()
                assert of is not None
                if not of.results:
                    self._under_way.popleft()
                    if first.error is not None:
                        raise first.error
                    return
                result = of.results.popleft()
                self._changed.notify_all()
            yield of.task, result

    def stop(self) -> None:
        """Let threads that wait end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _full(self) -> _UnderWay[T, R] | None:
        return next((of for of in self._under_way if len(of.results) >= WAITING), None)
