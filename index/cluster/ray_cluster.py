"""Join a Ray cluster, or start and stop a local one, without Ray's console output."""

import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from retrieval.errors import ClusterProblem, first_line
from retrieval.optional_packages import RAY

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for the head of a cluster."""
MEMORY, MEMORY_PER_WORKER = 100 * 1024**2, 50 * 1024**2
"""Bytes of shared memory for images in a local Ray, plus bytes per worker."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # messages on dead processes: the build reports lost images itself
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the future default; silences a warning
}
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # on any system: listen on the loopback interface only


@contextmanager
def joined(address: str, workers: int) -> Iterator[None]:
    """Connect to the cluster with its head at `address`, or start a local Ray if it is empty.

    A local Ray uses `workers` CPUs, listens on the loopback interface only and stops after the body. Raises
    RuntimeMissing, ClusterProblem.
    """
    RAY.check("A build on Ray")
    if address:
        _need_answer(address)
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as scratch:
        try:
            with _signals_kept(), _stderr_closed():
                _connect(address, workers, scratch)
            yield
        finally:
            import ray

            ray.shutdown()


def _connect(address: str, workers: int, scratch: str) -> None:
    os.environ.update(QUIET if address else QUIET | LOOPBACK)  # Ray reads them on import
    import ray.data

    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    alone = {
        "num_cpus": workers,
        "include_dashboard": False,
        "object_store_memory": MEMORY + workers * MEMORY_PER_WORKER,
        "_temp_dir": scratch,
    }
    for is_last in [True] if address else [False, True]:  # processes start too slowly on a machine that is busy
        try:
            ray.init(address=address or "local", **quiet, **({} if address else alone))
            break
        except Exception as error:  # then Ray raises a bare one
            ray.shutdown()
            if is_last:
                where = f"The Ray cluster at {address} cannot be joined" if address else "Ray cannot be started here"
                raise ClusterProblem(f"{where}: {first_line(error)}.") from None
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # the build reports lost images itself
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.execution_options.preserve_order = True  # so the whitening learns from the same images as on one machine
    context.max_errored_blocks = -1  # failed blocks are retried image by image


def _need_answer(address: str) -> None:
    """Check that the head answers, because Ray itself would try for minutes. Raises ClusterProblem."""
    host, _, port = address.rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdigit() or "/" in host:
        raise ClusterProblem(
            f"{address} is not a Ray address; use host:port of the cluster's head, such as 10.0.0.5:6379."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT).close()
    except (OSError, OverflowError):
        raise ClusterProblem(
            f"No Ray cluster answers at {address}; start one with `ray start --head`, or check it with `ray status`."
        ) from None


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Restore the SIGTERM handler, which Ray replaces in the main thread: a cancelled build could not clean up."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _stderr_closed() -> Iterator[None]:
    """Silence stderr of native code; errors still arrive as exceptions."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
