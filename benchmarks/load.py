"""The API under the load of many clients; then with the vectors in Milvus, killed after a third of the searches.

Needs the extras api, milvus and bench. A short run has half as many searches.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.api_clients import CLIENTS, STARTING, Response, Server, cycled, free_port, p95, serving, wait_until
from benchmarks.bench import Bench
from benchmarks.results import milliseconds, record, table
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.settings import Settings
from boxfind.stores import preparation, publisher_for
from index.storage.generation import current_folder
from retrieval.types import quiet

SEARCHES = 20
"""Searches of each client."""
SINGLE_CLIENT_SEARCHES = 60
"""Searches of a single client beforehand, which give the time without a queue."""
IDLE_SECONDS = 3.0
"""Idle seconds before memory is measured."""
MILVUS_DOWNTIME = 8.0
"""Seconds from the kill to the restart of Milvus."""


@dataclass(frozen=True, slots=True)
class Load:
    """Responses, and memory in bytes of the program and its child processes."""

    alone: list[Response]
    together: list[Response]
    memory_before: int
    memory_after: int


@dataclass(frozen=True, slots=True)
class Outage:
    """The concurrent searches during an outage of Milvus. Times in seconds."""

    accepted: list[Response]
    """Responses 200."""
    refusals: list[Response]
    """Responses 503 with Retry-After."""
    others: list[Response]
    slowest: float
    bound: float
    """Maximum expected seconds of a search: the queue (`bound`) plus two Milvus timeouts."""
    recovery: float
    """From the restart of Milvus to the first accepted response."""
    same_hits: bool
    """Whether searches before and after the outage have equal responses."""


def measure(bench: Bench) -> None:
    gallery, index, queries = bench.dataset.gallery, bench.settings.index_dir, bench.dataset.queries
    pictures, searches = bench.engine.gallery().image_count, SEARCHES // 2 if bench.short else SEARCHES
    with serving(gallery, index, bench.scratch) as server:
        load = measure_load(server, queries, searches)
    errors = sum(response.status != 200 for response in load.together)
    memory = [f"{size / 1e6:.0f}" for size in (load.memory_before, load.memory_after)]
    rows = []
    for clients, responses in ((1, load.alone), (CLIENTS, load.together)):
        times = [response.seconds for response in responses]
        rate = clients * len(times) / sum(times)
        rows.append([clients, len(times), *milliseconds(times, shares=(0.5, 0.95, 1)), f"{rate:.1f}"])
    record(
        f"The API under load: {pictures:,} pictures",
        table(["clients", "searches", "p50 ms", "p95 ms", "max ms", "searches/s"], rows),
        table(
            ["errors", "bound of p95 ms", "MB before", "MB after"],
            [[errors, f"{1000 * bound(load.alone):.0f}", *memory]],
        ),
    )
    outage = search_during_outage(gallery, index, bench.scratch, queries, searches)
    counts = [len(responses) for responses in (outage.accepted, outage.refusals, outage.others)]
    seconds = [f"{value:.1f}" for value in (outage.slowest, outage.bound, outage.recovery)]
    record(
        "The API under load while Milvus is killed",
        table(
            ["status 200", "503 with Retry-After", "other", "max s", "bound s", "recovery s", "same hits"],
            [[*counts, *seconds, "yes" if outage.same_hits else "no"]],
        ),
    )


def bound(alone: Sequence[Response]) -> float:
    """Upper bound of the p95 under load, in seconds: twice the time to search for all clients one after the other."""
    return 2 * CLIENTS * p95(alone)


def measure_load(server: Server, queries: Sequence[BoxedQuery], searches: int) -> Load:
    """Measure one client, then all of them at once with `searches` searches each.

    As a warm-up, all clients together send each query once. The network caches compiled layers for the latest picture
    sizes, and memory is compared only after that cache is full.
    """
    with server.concurrent_searches(queries):
        pass
    alone = server.search_all(cycled(queries, SINGLE_CLIENT_SEARCHES))
    time.sleep(IDLE_SECONDS)
    before = memory_of(server.pid)
    with server.concurrent_searches(cycled(queries, CLIENTS * searches)) as together:
        pass
    time.sleep(IDLE_SECONDS)
    return Load(alone, together, before, memory_of(server.pid))


def memory_of(pid: int) -> int:
    """Bytes of memory of a process and its descendants; shared pages count once."""
    root = psutil.Process(pid)
    return sum(process.memory_full_info().pss for process in [root, *root.children(recursive=True)])


def search_during_outage(
    gallery: Path, index: Path, scratch: Path, queries: Sequence[BoxedQuery], searches: int, timeout: float = 5.0
) -> Outage:
    """Run all clients with `searches` searches each. Milvus is killed after a third of them, and then restarted.

    The API keeps running. `timeout`: seconds of a call to Milvus.
    """
    port = free_port()
    milvus = _start_milvus(scratch / "milvus", port)
    try:
        wait_until(lambda: _listens(port), "milvus-lite did not start; the extra milvus installs it.")
        uri = f"http://127.0.0.1:{port}"
        settings = Settings.load(index=index, store="milvus", milvus_uri=uri)
        preparation(publisher_for(settings), quiet)(current_folder(settings.index_dir))
        variables = {"STORE": "milvus", "MILVUS_URI": uri, "MILVUS_TIMEOUT": str(timeout)}
        environment = {f"BOXFIND_{name}": value for name, value in variables.items()}
        with serving(gallery, index, scratch / "data", environment) as server:
            server.search_all(queries[:20])
            before = server.search_all(queries[:20])
            with server.concurrent_searches(cycled(queries, CLIENTS * searches)) as responses:
                third = CLIENTS * searches // 3
                wait_until(
                    lambda: len(responses) > third,
                    "The API sent too few responses before Milvus was to be killed.",
                    STARTING + 4 * third * p95(before),
                )
                milvus.kill()
                milvus.wait()
                time.sleep(MILVUS_DOWNTIME)
                milvus = _start_milvus(scratch / "milvus", port)
                restarted = time.perf_counter()
            after = server.search_all(queries[:20])
    finally:
        milvus.kill()
        milvus.wait()
    accepted = [response for response in responses if response.status == 200]
    refusals = [response for response in responses if response.status == 503 and response.retry_after]
    return Outage(
        accepted,
        refusals,
        [response for response in responses if response not in accepted and response not in refusals],
        max(response.seconds for response in responses),
        bound(before) + 2 * timeout,
        min(response.at for response in accepted if response.at > restarted) - restarted,
        [response.text for response in before] == [response.text for response in after],
    )


def _start_milvus(folder: Path, port: int) -> subprocess.Popen[bytes]:
    options = ["--data-dir", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "milvus_lite", "server", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0
