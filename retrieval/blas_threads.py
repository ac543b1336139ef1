"""Limit the number of BLAS threads, safely for concurrent and nested callers, and compute on threads of our own."""

import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController, get_cached_controller

from retrieval.cpus import cpu_count

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST_THREADS = 8
"""Maximum number of threads of `in_threads`. Bounds memory, because every thread holds a block."""

_lock = threading.Lock()
_bodies = 0  # that run now
_original: dict[str, tuple[Any, int]] = {}  # process-wide libraries by path, with their count before the first body


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread, which is several times faster for many small matrix products.

    Bodies may be nested and may run in many threads at once. When the last one ends, BLAS gets back the number of
    threads it had before the first. Libraries with a thread count per calling thread (MKL, the OpenBLAS of FAISS) get
    it back when the body of that thread ends.
    """
    global _bodies
    with _lock:
        per_thread, process_wide = _blas_libraries(get_cached_controller())
        before = [(library, library.num_threads) for library in per_thread]
        _bodies += 1
        for library in process_wide:
            if library.filepath not in _original:
                _original[library.filepath] = library, library.num_threads
                _set(library, 1)
    try:
        for library in per_thread:
            library.set_num_threads(1)
        yield
    finally:
        for library, count in before:
            library.set_num_threads(count)
        with _lock:
            _bodies -= 1
            if not _bodies:
                for library, count in _original.values():
                    _set(library, count)
                _original.clear()


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result]:
    """Yield `work(item)` in the order of the items, computed on several threads with one BLAS thread each.

    BLAS threads share each product and wait for the slowest by spinning: beside another busy program a low-priority
    process then hardly advances. These threads share whole items instead, and the number of threads does not affect the
    results. Closing the generator drops the remaining items.
    """
    with ThreadPoolExecutor(min(cpu_count(), MOST_THREADS), initializer=one_thread_each) as threads, one_blas_thread():
        try:
            yield from threads.map(work, items)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def one_thread_each() -> None:
    """Let libraries that use OpenMP, PyTorch among them, start no further threads from the calling thread."""
    for library in get_cached_controller().select(user_api="openmp").lib_controllers:
        library.set_num_threads(1)


@lru_cache(1)
def _blas_libraries(controller: ThreadpoolController) -> tuple[list[Any], list[Any]]:
    """The loaded BLAS libraries: those with a count per calling thread, and those with one for the process.

    threadpoolctl makes a new controller only after new modules are imported.
    """
    found = controller.select(user_api="blas").lib_controllers
    per_thread = [library for library in found if _has_count_per_thread(library)]
    return per_thread, [library for library in found if library not in per_thread]


def _has_count_per_thread(library: Any) -> bool:
    by_openmp = getattr(library, "threading_layer", "") == "openmp" and sys.platform != "win32"
    return library.internal_api == "mkl" or by_openmp


def _set(library: Any, count: int) -> None:
    """Set the count from any thread. threadpoolctl otherwise reserves OpenBLAS for the first thread that sets it."""
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(count)
    release(force=True)
