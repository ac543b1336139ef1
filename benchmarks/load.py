"""Measures the API under many clients at once: python -m benchmarks.load --gallery DATASET/gallery --index DIR."""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from benchmarks.memory import held
from benchmarks.results import keep, table
from evaluation.dataset import BoxedQuery, read_queries
from settings import PROJECT

CLIENTS, SEARCHES = 30, 20
"""How many ask at once, and how often each, one search after the other."""
ALONE = 60
"""Searches of one client before that, which say what a search takes when nobody waits."""
REST = 3.0
"""Seconds of quiet before memory is looked at."""
STARTING = 120.0
SECTION = "The API under load: {} pictures"


@dataclass(frozen=True, slots=True)
class Server:
    """An API that runs as a process of its own."""

    address: str
    pid: int

    def search(self, query: BoxedQuery, client: httpx.Client) -> tuple[int, float]:
        """The status and the seconds of a search with the ranking that the API chooses."""
        box = {"box": ",".join(map(str, query.box.xywh))} if query.box else {}
        began = time.perf_counter()
        answer = client.post(
            f"{self.address}/v1/search", files={"picture": (query.image.name, query.image.read_bytes())}, data=box
        )
        return answer.status_code, time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured; seconds a search, bytes of the program and what it started."""

    alone: list[float]
    together: list[float]
    statuses: list[int]
    seconds: float
    """From the first search of all clients to the last."""
    before: int
    peak: int
    after: int

    @property
    def errors(self) -> int:
        return sum(status != 200 for status in self.statuses)

    @property
    def bound(self) -> float:
        """Twice what 95 % of searches take alone, for each client that a core has to serve."""
        return 2 * p95(self.alone) * max(CLIENTS / (os.cpu_count() or 1), 1)


def main(gallery: Path, index: Path) -> None:
    queries = read_queries(gallery.parent / "queries.csv", gallery.parent / "queries")
    with tempfile.TemporaryDirectory() as scratch, serving(gallery, index, Path(scratch)) as server:
        pictures = httpx.get(f"{server.address}/v1/index").json()["served"]["images"]
        load = measure(server, queries)
    keep(SECTION.format(f"{pictures:,}"), f"{_note(load)}\n\n{table(*_rows(load))}")


@contextmanager
def serving(gallery: Path, index: Path, scratch: Path) -> Iterator[Server]:
    """`cli.py serve`, once it is ready to search."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    more = {"BOXFIND_API_PORT": str(port), "BOXFIND_API_RATE": "1000000", "BOXFIND_DATA": str(scratch)}
    command = [sys.executable, str(PROJECT / "cli.py"), "serve", "--gallery", str(gallery), "--index", str(index)]
    with subprocess.Popen(command, env=os.environ | {"BOXFIND_OFFLINE": "1"} | more) as process:
        try:
            server = Server(f"http://127.0.0.1:{port}", process.pid)
            _wait_until_ready(server, process)
            yield server
        finally:
            process.terminate()


def measure(server: Server, queries: Sequence[BoxedQuery]) -> Load:
    """One client, then all of them at once. Before that all come shortly, for what is made once and then kept."""
    _together(server, queries, searches=2)
    alone = [seconds for _, seconds in _visit(server, queries, 0, ALONE)]
    time.sleep(REST)
    before = held(server.pid)
    with _watched(server.pid) as peak:
        began = time.perf_counter()
        answers = _together(server, queries, SEARCHES)
        seconds = time.perf_counter() - began
    time.sleep(REST)
    statuses, together = zip(*answers, strict=True)
    return Load(alone, [*together], [*statuses], seconds, before, max(peak), held(server.pid))


def p95(seconds: Sequence[float]) -> float:
    return float(np.quantile(seconds, 0.95))


def _together(server: Server, queries: Sequence[BoxedQuery], searches: int) -> list[tuple[int, float]]:
    with ThreadPoolExecutor(CLIENTS) as clients:
        visits = [clients.submit(_visit, server, queries, number * searches, searches) for number in range(CLIENTS)]
        return [answer for visit in visits for answer in visit.result()]


def _visit(server: Server, queries: Sequence[BoxedQuery], first: int, searches: int) -> list[tuple[int, float]]:
    """The statuses and seconds of one client's searches, one after the other."""
    with httpx.Client(timeout=60) as client:
        return [server.search(queries[n % len(queries)], client) for n in range(first, first + searches)]


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """The bytes a program holds, many times while the body runs."""
    seen, ended = [held(pid)], threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            seen.append(held(pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + STARTING
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{server.address}/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("The API does not become ready; what it says stands above.")


def _rows(load: Load) -> tuple[list[str], list[list[str]]]:
    rows = [
        ["one client", f"{len(load.alone)}", *_milliseconds(load.alone), f"{len(load.alone) / sum(load.alone):.1f}"],
        [
            f"{CLIENTS} clients",
            f"{len(load.together)}",
            *_milliseconds(load.together),
            f"{len(load.together) / load.seconds:.1f}",
        ],
    ]
    return ["", "searches", "p50 ms", "p95 ms", "slowest ms", "searches a second"], rows


def _milliseconds(seconds: Sequence[float]) -> list[str]:
    return [f"{1000 * value:.0f}" for value in np.quantile(seconds, [0.5, 0.95, 1])]


def _note(load: Load) -> str:
    before, peak, after = (f"{value / 1e6:.0f} MB" for value in (load.before, load.peak, load.after))
    cores = os.cpu_count() or 1
    return (
        "Searches with a picture and a box over HTTP, ranked by `best`; the clients run on the same cores. "
        f"Errors: {load.errors}. The p95 under load may be 2 x {1000 * p95(load.alone):.0f} ms x {CLIENTS} clients / "
        f"{cores} cores = {1000 * load.bound:,.0f} ms. Memory of the program and its decoder: {before} before, {peak} "
        f"at most, {after} after."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--gallery", type=Path, required=True, help="of a labelled data set, whose queries lie beside it"
    )
    parser.add_argument("--index", type=Path, required=True)
    given = parser.parse_args()
    main(given.gallery.resolve(), given.index)
