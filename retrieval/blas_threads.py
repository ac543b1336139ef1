"""Limit the number of BLAS threads, safely for concurrent and nested callers."""

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController, get_cached_controller

_lock = threading.Lock()
_requested: list[int] = []  # thread count of each running body
_original: dict[str, tuple[Any, int]] = {}  # process-wide libraries by path, with their count before the first body
_applied: tuple[ThreadpoolController | None, int] = None, 0  # the count that these libraries have during bodies


def one_blas_thread() -> AbstractContextManager[None]:
    """Limit BLAS to one thread, which is several times faster for many small matrix products.

    Bodies may be nested and may run in many threads at once. When the last one ends, BLAS gets back the number of
    threads it had before the first.
    """
    return blas_threads(1)


@contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """Give BLAS `count` threads. While bodies overlap, the largest count requested applies to all.

    So a large matrix product gets its threads even while other callers hold BLAS at one. Libraries with a thread count
    per calling thread (MKL, the OpenBLAS of FAISS) follow only the innermost body of the calling thread.
    """
    with _lock:
        per_thread = [(library, library.num_threads) for library in _blas_libraries(get_cached_controller())[0]]
        _requested.append(count)
        _limit_process()
    try:
        for library, _ in per_thread:
            library.set_num_threads(count)
        yield
    finally:
        for library, before in per_thread:
            library.set_num_threads(before)
        with _lock:
            _requested.remove(count)
            _limit_process()


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


def _limit_process() -> None:
    """Set the process-wide libraries to the largest requested count, or back to the original one if there is none."""
    global _applied
    if not _requested:
        for library, before in _original.values():
            _set(library, before)
        _original.clear()
        _applied = None, 0
        return
    wanted = get_cached_controller(), max(_requested)
    if wanted != _applied:
        for library in _blas_libraries(wanted[0])[1]:
            _original.setdefault(library.filepath, (library, library.num_threads))
            _set(library, wanted[1])
        _applied = wanted


def _set(library: Any, count: int) -> None:
    """Set the count from any thread. threadpoolctl otherwise reserves OpenBLAS for the first thread that sets it."""
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(count)
    release(force=True)
