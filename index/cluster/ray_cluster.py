"""A Ray cluster is joined, or one of this machine alone started and ended, without a word of its own on the screen."""

import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from retrieval.errors import ClusterProblem
from retrieval.optional_packages import RAY

CONNECT_TIMEOUT = 10.0
"""Seconds in which the head of a cluster must answer."""
MEMORY, MEMORY_PER_WORKER = 100 * 1024**2, 50 * 1024**2
"""Bytes of shared memory that a Ray of this machine alone keeps pictures in, on their way from process to process."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # which processes died: the build tells what is lost by it
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what its absence will mean one day
}
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # on any system: one machine, and no port that others can reach


@contextmanager
def joined(address: str, workers: int) -> Iterator[None]:
    """This process drives the cluster whose head is there; without an address a Ray of this machine alone.

    That one takes so many processors, listens on the loopback interface only and ends with the body. Raises
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
    os.environ.update(QUIET if address else QUIET | LOOPBACK)  # read when Ray is imported
    import ray.data

    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    alone = {
        "num_cpus": workers,
        "include_dashboard": False,
        "object_store_memory": MEMORY + workers * MEMORY_PER_WORKER,
        "_temp_dir": scratch,
    }
    try:
        ray.init(address=address or "local", **quiet, **({} if address else alone))
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where = f"The Ray cluster at {address} cannot be joined" if address else "Ray cannot be started here"
        raise ClusterProblem(f"{where}: {first_line(error)}") from None
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what is lost is told by the build itself
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.execution_options.preserve_order = True  # so that the same pictures teach the whitening as on one machine
    context.max_errored_blocks = -1  # they are looked at again, one by one


def _need_answer(address: str) -> None:
    """Ray itself would try for minutes. Raises ClusterProblem."""
    host, _, port = address.rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdigit() or "/" in host:
        raise ClusterProblem(f"{address} is no address of a Ray cluster; give that of its head, such as 10.0.0.5:6379.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT).close()
    except (OSError, OverflowError):
        raise ClusterProblem(
            f"No Ray cluster answers at {address}; `ray start --head` starts one, `ray status` says whether it runs."
        ) from None


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; a build that is cancelled by it would leave nothing in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _stderr_closed() -> Iterator[None]:
    """For what is said below Python; what goes wrong comes as an exception."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def first_line(error: Exception) -> str:
    """What Ray says of an error in many lines, in one."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".") + "."
