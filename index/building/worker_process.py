"""Start the worker processes of a DecoderPool, limit them, and end them with their parent process."""

import contextlib
import ctypes
import os
import signal
import threading
from multiprocessing import parent_process, spawn
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from retrieval.ranking.keypoints import use_one_thread

PIPE = 256 * 1024
"""Pipe buffer in bytes, about a third of an image. Linux limits all pipes of a user to 64 MB."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # constants of malloc.h


class _Worker(SpawnProcess):
    """A process that does not begin with the main file of its parent: under Streamlit that is the page."""

    _starting = threading.Lock()

    @staticmethod
    def _Popen(process: BaseProcess) -> Any:  # noqa: N802
        with _Worker._starting:
            given = spawn.get_preparation_data
            spawn.get_preparation_data = lambda name: {
                key: value for key, value in given(name).items() if not key.startswith("init_main")
            }
            try:
                return SpawnProcess._Popen(process)
            finally:
                spawn.get_preparation_data = given


class WorkerContext(SpawnContext):
    """Starts workers, with larger pipe buffers, which makes the transfer of an image a quarter faster."""

    Process = _Worker

    def Pipe(self, duplex: bool = True) -> tuple[Connection, Connection]:  # noqa: N802
        ends = super().Pipe(duplex)
        with contextlib.suppress(ImportError, AttributeError, OSError):  # Linux only
            import fcntl

            fcntl.fcntl(ends[1].fileno(), fcntl.F_SETPIPE_SZ, PIPE)
        return ends


def prepare_worker(memory: int, keep_memory: bool = True) -> None:
    """Run at the start of a worker: limit its threads and memory, and end it with its parent process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # end at once: pebble's handler waits for the decoder and disturbs it
    use_one_thread()
    if keep_memory:
        keep_freed_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(ImportError, OSError, ValueError):  # the system cannot limit memory
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def keep_freed_memory() -> None:
    """Keep freed memory for the next image: fresh pages from the system would cost a third of the time."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # glibc only
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 64 * 1024**2)
        mallopt(M_TRIM_THRESHOLD, 256 * 1024**2)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
