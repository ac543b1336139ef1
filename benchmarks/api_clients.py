"""The API in its own process, and clients that search through it and honour Retry-After."""

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

from boxfind.evaluation.dataset import BoxedQuery
from boxfind.settings import PROJECT

CLIENTS = 30
"""Concurrent clients."""
TRIES = 10
"""Attempts at one search before a client gives up."""
STARTING = 120.0
"""Seconds that a server may take to become ready."""


@dataclass(frozen=True, slots=True)
class Response:
    """The response to one search."""

    status: int
    text: str
    retry_after: int
    """Seconds; 0 if the header is missing."""
    seconds: float
    at: float
    """Arrival time, by `perf_counter`."""


@dataclass(frozen=True, slots=True)
class Server:
    """An API that is ready to search."""

    address: str
    pid: int
    client: httpx.Client

    def search(self, query: BoxedQuery) -> Response:
        """Search with the default ranking of the API."""
        box = {"box": ",".join(map(str, query.box.xywh))} if query.box else {}
        picture = {"picture": (query.image.name, query.image.read_bytes())}
        began = time.perf_counter()
        response = self.client.post(f"{self.address}/v1/search", files=picture, data=box)
        now = time.perf_counter()
        retry_after = int(response.headers.get("Retry-After", 0))
        return Response(response.status_code, response.text, retry_after, now - began, now)

    def search_until_accepted(self, query: BoxedQuery, responses: list[Response]) -> None:
        """Repeat a refused search after the time that the refusal gives. Appends every response."""
        for _ in range(TRIES):
            response = self.search(query)
            responses.append(response)
            if not response.retry_after:
                break
            time.sleep(response.retry_after)

    def search_all(self, queries: Iterable[BoxedQuery]) -> list[Response]:
        """Search one query after the other."""
        with self.concurrent_searches(queries, 1) as responses:
            pass
        return responses

    @contextmanager
    def concurrent_searches(self, queries: Iterable[BoxedQuery], clients: int = CLIENTS) -> Iterator[list[Response]]:
        """Distribute the queries among clients, during the body and until all have a response.

        A client sends its next search as soon as it has a response. Yields the growing list of responses.
        """
        responses: list[Response] = []
        with ThreadPoolExecutor(clients) as pool:
            searches = [pool.submit(self.search_until_accepted, query, responses) for query in queries]
            yield responses
            for search in searches:
                search.result()


@contextmanager
def serving(gallery: Path, index: Path, scratch: Path, settings: dict[str, str] | None = None) -> Iterator[Server]:
    """Run `cli.py serve` and wait until it is ready; `settings` are additional environment variables."""
    port = free_port()
    own = {"BOXFIND_API_PORT": str(port), "BOXFIND_API_RATE": "1000000", "BOXFIND_DATA": str(scratch)}
    command = [sys.executable, str(PROJECT / "cli.py"), "serve", "--gallery", str(gallery), "--index", str(index)]
    environment = os.environ | {"BOXFIND_OFFLINE": "1"} | own | (settings or {})
    with subprocess.Popen(command, env=environment) as process, httpx.Client(timeout=60) as client:
        try:
            server = Server(f"http://127.0.0.1:{port}", process.pid, client)
            wait_until(lambda: _is_ready(server), "The API did not become ready; see its output above.")
            yield server
        finally:
            process.terminate()


def p95(responses: Sequence[Response]) -> float:
    """The 95th percentile of the time of a search, in seconds."""
    return float(np.quantile([response.seconds for response in responses], 0.95))


def cycled(queries: Sequence[BoxedQuery], count: int) -> list[BoxedQuery]:
    """`count` queries, starting again after the last."""
    return [queries[n % len(queries)] for n in range(count)]


def free_port() -> int:
    """A port that no process listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until(condition: Callable[[], bool], message: str, seconds: float = STARTING) -> None:
    """Poll until the condition is true. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(message)
        time.sleep(0.1)


def _is_ready(server: Server) -> bool:
    try:
        return httpx.get(f"{server.address}/ready").status_code == 200
    except httpx.TransportError:
        return False
