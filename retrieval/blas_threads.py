"""How many threads BLAS may use, while several parts of the program want it otherwise at the same time."""

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController, get_cached_controller


def one_blas_thread() -> AbstractContextManager[None]:
    """For many small matrix products: shared out among threads, each would take several times as long.

    Bodies may be nested and may run in many threads at once. BLAS stays at one thread until the last of them ends, and
    then has as many again as before the first.
    """
    return blas_threads(1)


@contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """Gives BLAS so many threads. Where bodies overlap, the greatest number that one of them asks for holds for all.

    So a large matrix product gets its threads also while others hold BLAS at one. Libraries that have a number for
    each thread (MKL, the OpenBLAS of FAISS) follow the innermost body of the calling thread, and no other.
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
    """The BLAS libraries that are loaded, and the numbers of threads that are asked for at the moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._controller: ThreadpoolController | None = None
        self._of_process: list[Any] = []
        self._of_thread: list[Any] = []
        self._asked: list[int] = []  # one for each body that runs
        self._before: dict[str, tuple[Any, int]] = {}  # by path: threads before the first body
        self._current = 0  # threads that the libraries of the process were given; 0 when that is to be done

    def enter(self, count: int) -> list[tuple[Any, int]]:
        """The libraries that the calling thread has to limit by itself, each with the threads it has now."""
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
        """threadpoolctl looks for libraries anew, which takes a millisecond, once other modules are imported."""
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
    """threadpoolctl reserves OpenBLAS for the first thread that sets it; whoever leaves last must be able to, too."""
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(count)
    release(force=True)
