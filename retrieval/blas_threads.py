"""Limit the number of BLAS threads, safely for concurrent and nested callers."""

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController, get_cached_controller


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
    of_thread = _libraries.enter(count)
    try:
        for library, _ in of_thread:
            library.set_num_threads(count)
        yield
    finally:
        for library, before in of_thread:
            library.set_num_threads(before)
        _libraries.leave(count)


class _Libraries:
    """The loaded BLAS libraries and the thread counts currently requested."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._controller: ThreadpoolController | None = None
        self._of_process: list[Any] = []
        self._of_thread: list[Any] = []
        self._asked: list[int] = []  # one entry per running body
        self._before: dict[str, tuple[Any, int]] = {}  # by path: thread count before the first body
        self._current = 0  # count set on the process-wide libraries; 0 when not set

    def enter(self, count: int) -> list[tuple[Any, int]]:
        """Register a body. Returns the libraries with a per-thread count, each with its present count."""
        with self._lock:
            self._find()
            of_thread = [(library, library.num_threads) for library in self._of_thread]
            self._asked.append(count)
            self._update()
        return of_thread

    def leave(self, count: int) -> None:
        with self._lock:
            self._asked.remove(count)
            self._update()

    def _find(self) -> None:
        """Find the loaded libraries. threadpoolctl scans again (1 ms) only after new modules are imported."""
        controller = get_cached_controller()
        if controller is not self._controller:
            found = controller.select(user_api="blas").lib_controllers
            self._of_thread = [library for library in found if _has_number_by_thread(library)]
            self._of_process = [library for library in found if not _has_number_by_thread(library)]
            self._controller, self._current = controller, 0

    def _update(self) -> None:
        count = max(self._asked, default=0)
        if not count:
            for library, before in self._before.values():
                _set(library, before)
            self._before.clear()
        elif count != self._current:
            for library in self._of_process:
                self._before.setdefault(library.filepath, (library, library.num_threads))
                _set(library, count)
        self._current = count


_libraries = _Libraries()


def _has_number_by_thread(library: Any) -> bool:
    by_openmp = getattr(library, "threading_layer", "") == "openmp" and sys.platform != "win32"
    return library.internal_api == "mkl" or by_openmp


def _set(library: Any, count: int) -> None:
    """Set the count from any thread. threadpoolctl otherwise reserves OpenBLAS for the first thread that sets it."""
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(count)
    release(force=True)
