"""The API as a process of its own, and clients who search through it and come back when they are told to."""

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
"""How many ask at once."""
TRIES = 10
"""How often a client asks for one search before it gives up."""
STARTING = 120.0
"""Seconds that a program may take to be ready."""


NOT_READY = "The API does not become ready; what it says stands above."


@dataclass(frozen=True, slots=True)
class Response:
    """What came back of a search."""

    status: int
    text: str
    again: int
    """Seconds after which to ask again; 0 where nothing is said of it."""
    seconds: float
    at: float
    """When it came, by the clock `perf_counter`."""


@dataclass(frozen=True, slots=True)
class Alone:
    """What one client was answered whom nobody kept waiting."""

    answers: list[Response]
    cores: float
    """How many were busy meanwhile, on average: with the network, with verification, with the client itself."""

    @property
    def seconds(self) -> list[float]:
        return [answer.seconds for answer in self.answers]

    @property
    def queue(self) -> float:
        """How many times as long a search takes when all clients ask, each again as soon as it is answered.

        A search needs the cores for as long as when it was alone, so that they do cores / busy cores of them at once,
        and each waits until it was the turn of all others: clients / at once. With two cores of which a search alone
        keeps 1.5 busy that is 30 / 1.33, not 30 / 2.
        """
        return max(CLIENTS * self.cores / cpu_count(), 1)

    @property
    def bound(self) -> float:
        """Seconds that 95 % of the searches of all clients may take: twice what the queue explains."""
        return 2 * p95(self.seconds) * self.queue


@dataclass(frozen=True, slots=True)
class Server:
    """An API that is ready to search."""

    address: str
    pid: int

    def search(self, query: BoxedQuery, client: httpx.Client) -> Response:
        """With the ranking that the API chooses."""
        box = {"box": ",".join(map(str, query.box.xywh))} if query.box else {}
        picture = {"picture": (query.image.name, query.image.read_bytes())}
        began = time.perf_counter()
        came = client.post(f"{self.address}/v1/search", files=picture, data=box)
        now = time.perf_counter()
        return Response(came.status_code, came.text, int(came.headers.get("Retry-After", 0)), now - began, now)

    def ask(self, queries: Iterable[BoxedQuery], answers: list[Response]) -> None:
        """One search after the other, each until it is answered; all answers are added, refusals too."""
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
        """All clients search while the body runs and until they are done; the answers so far."""
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
    """`cli.py serve`, once it is ready to search; `settings` are environment variables for it."""
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
    """Ends the program with a sentence when that takes too long."""
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
    """Seconds that cores have worked for this process and those below it, as the Linux kernel counts them."""
    ticks = 0
    for member in family(os.getpid()):
        with contextlib.suppress(OSError):
            fields = (
                Path(f"/proc/{member}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            )
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
