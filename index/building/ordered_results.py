"""Work on tasks in several threads, and yield the results in the order of the tasks."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 4
"""Results that may wait per thread. Bounds memory if they are taken more slowly than made."""

T = TypeVar("T")
R = TypeVar("R")


def ordered_results(work: Callable[[T], R], tasks: Iterable[T], threads: int) -> Generator[tuple[T, R]]:
    """Each task and its result, in order. Raises the first error of `work` in its place.

    Close the generator to drop the tasks that have not begun; those under way are waited for.
    """
    with ThreadPoolExecutor(threads) as pool:
        under_way: deque[tuple[T, Future[R]]] = deque()
        try:
            for task in tasks:
                under_way.append((task, pool.submit(work, task)))
                if len(under_way) > AHEAD * threads:
                    done, future = under_way.popleft()
                    yield done, future.result()
            while under_way:
                done, future = under_way.popleft()
                yield done, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # the results are no longer needed
