"""The API in its own process, and clients that search through it and honour Retry-After."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from benchmarks.speed.memory import family
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.settings import PROJECT
from retrieval.cpus import cpu_count

CLIENTS = 30
"""Concurrent clients."""
TRIES = 10
"""Attempts of a client at one search before it gives up."""
STARTING = 120.0
"""Seconds that the API may take to become ready."""
NOT_READY = "The API did not become ready; see its output above."


@dataclass(frozen=True, slots=True)
class Response:
    """The response to one search."""

    status: int
    text: str
    again: int
    """Retry-After in seconds; 0 if the header is missing."""
    seconds: float
    at: float
    """Arrival time, by `perf_counter`."""


@dataclass(frozen=True, slots=True)
class Alone:
    """The searches of a single client, without a queue."""

    answers: list[Response]
    cores: float
    """Average number of busy cores: network, verification and the client itself."""

    @property
    def seconds(self) -> list[float]:
        return [answer.seconds for answer in self.answers]

    @property
    def queue(self) -> float:
        """Slowdown of a search when all clients search without pause.

        A search uses as much core time as it does alone, so the machine runs (cores / busy cores) searches at a time.
        Each search waits for those of all other clients: clients / (searches at a time). With two cores, of which a
        single search keeps 1.5 busy, that is 30 / 1.33, not 30 / 2.
        """
        return max(CLIENTS * self.cores / cpu_count(), 1)

    @property
    def bound(self) -> float:
        """Upper bound in seconds of the p95 under load: twice what the queue explains."""
        return 2 * p95(self.seconds) * self.queue


@dataclass(frozen=True, slots=True)
class Server:
    """An API that is ready to search."""

    address: str
    pid: int

    def search(self, query: BoxedQuery, client: httpx.Client) -> Response:
        """Search with the default ranking of the API."""
        box = {"box": ",".join(map(str, query.box.xywh))} if query.box else {}
        picture = {"picture": (query.image.name, query.image.read_bytes())}
        began = time.perf_counter()
        came = client.post(f"{self.address}/v1/search", files=picture, data=box)
        now = time.perf_counter()
        return Response(came.status_code, came.text, int(came.headers.get("Retry-After", 0)), now - began, now)

    def ask(self, queries: Iterable[BoxedQuery], answers: list[Response]) -> None:
        """Run searches one after the other, retrying refused ones; append every response to `answers`."""
        with httpx.Client(timeout=60) as client:
            for query in queries:
                for _ in range(TRIES):
                    answer = self.search(query, client)
                    answers.append(answer)
                    if not answer.again:
                        break
                    time.sleep(answer.again)

    def ask_alone(self, queries: Iterable[BoxedQuery]) -> Alone:
        answers: list[Response] = []
        began, before = time.perf_counter(), _worked()
        self.ask(queries, answers)
        cores = (_worked() - before) / (time.perf_counter() - began)
        return Alone(answers, cores)

    @contextmanager
    def asked_by_all(self, queries: Sequence[BoxedQuery], searches: int) -> Iterator[list[Response]]:
        """Run all clients during the body and until they finish; yields the growing list of responses."""
        answers: list[Response] = []
        with ThreadPoolExecutor(CLIENTS) as clients:
            visits = [
                clients.submit(self.ask, [queries[n % len(queries)] for n in range(first, first + searches)], answers)
                for first in range(0, CLIENTS * searches, searches)
            ]
            yield answers
            for visit in visits:
                visit.result()


@contextmanager
def serving(gallery: Path, index: Path, scratch: Path, settings: dict[str, str] | None = None) -> Iterator[Server]:
    """Run `cli.py serve` and wait until it is ready; `settings` are additional environment variables."""
    port = free_port()
    own = {"BOXFIND_API_PORT": str(port), "BOXFIND_API_RATE": "1000000", "BOXFIND_DATA": str(scratch)}
    command = [sys.executable, str(PROJECT / "cli.py"), "serve", "--gallery", str(gallery), "--index", str(index)]
    environment = os.environ | {"BOXFIND_OFFLINE": "1"} | own | (settings or {})
    with subprocess.Popen(command, env=environment) as process:
        try:
            server = Server(f"http://127.0.0.1:{port}", process.pid)
            wait_until(lambda: _is_ready(server, process), NOT_READY)
            yield server
        finally:
            process.terminate()


def p95(seconds: Sequence[float]) -> float:
    return float(np.quantile(seconds, 0.95))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until(true: Callable[[], bool], otherwise: str, seconds: float = STARTING) -> None:
    """Poll until `true()`; exit with the message `otherwise` after `seconds`."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise SystemExit(otherwise)
        time.sleep(0.1)


def _is_ready(server: Server, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise SystemExit(NOT_READY)
    try:
        return httpx.get(f"{server.address}/ready").status_code == 200
    except httpx.TransportError:
        return False


def _worked() -> float:
    """CPU seconds of this process and its descendants, from /proc (Linux)."""
    ticks = 0
    for member in family(os.getpid()):
        with contextlib.suppress(OSError):
            fields = (
                Path(f"/proc/{member}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            )
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
