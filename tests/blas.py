"""Query and set the number of threads of NumPy's BLAS."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from threadpoolctl import ThreadpoolController


def numpy_threads() -> int:
    return _of_numpy().num_threads


@contextmanager
def numpy_with(threads: int) -> Iterator[None]:
    """Run the body with this many BLAS threads. `make test` starts with one, which would hide a limit of one."""
    library = _of_numpy()
    before = library.num_threads
    _set(library, threads)
    try:
        yield
    finally:
        _set(library, before)


def _of_numpy():
    found = [library for library in ThreadpoolController().lib_controllers if "numpy" in library.filepath]
    if not found or getattr(found[0], "threading_layer", "") != "pthreads":
        pytest.skip("NumPy has no BLAS whose threads can be set for the whole process")
    return found[0]


def _set(library, threads: int) -> None:
    library.clear_controlling_thread(force=True)
    library.set_num_threads(threads)
    library.clear_controlling_thread(force=True)
