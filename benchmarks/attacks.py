"""The searches of a visitor of the API while another client attacks it from another address of this machine.

The attacks: pictures that take long to decode, uploads that drip, headers that never end, and many connections.
"""

import contextlib
import io
import itertools
import select
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

import httpx
import numpy as np
from PIL import Image as Pillow

from benchmarks.api_clients import Server, serving
from benchmarks.bench import Bench
from benchmarks.load import memory_of
from benchmarks.results import record, table
from boxfind.evaluation.dataset import BoxedQuery

ATTACKER, VICTIM = "127.0.0.1", "127.0.0.2"
"""Addresses of the loopback network; only Linux has the second without further set-up."""
SECONDS = 12.0
"""Seconds during which the visitor begins searches, one after the other."""
PATIENCE = 40.0
"""Seconds after which the visitor gives up a search."""
SLOW_PICTURES, UPLOADS, HEADERS, SEARCHING = 5, 40, 800, 36
"""Connections of each attack."""
RATE = 600
"""Requests a minute that a client may send by default."""


def measure(bench: Bench) -> None:
    """Raises SystemExit except on Linux."""
    if sys.platform != "linux":
        sys.exit("The benchmark of attacks needs Linux: the two clients have different addresses of this machine.")
    bench.engine.gallery()  # builds a missing index
    queries = bench.dataset.queries
    with serving(bench.dataset.gallery, bench.settings.index_dir, bench.scratch) as server:
        server.search_all(queries[:3])
        rows: list[list[object]] = [["none", *_row(server, queries, contextlib.nullcontext([]))]]
        for name, attack in ATTACKS.items():
            rows.append([name, *_row(server, queries, attack(server, queries[0]))])
            print(rows[-1], file=sys.stderr, flush=True)
            time.sleep(3)
    header = [
        "attack",
        "searches",
        "median s",
        "max s",
        "refused or failed",
        "connections open at the end",
        "server MB",
    ]
    record("A visitor of the API during attacks", table(header, rows))


Attack = contextlib.AbstractContextManager[list[socket.socket]]
"""An attack during the body; yields the connections that it keeps open."""


def _row(server: Server, queries: Sequence[BoxedQuery], attack: Attack) -> list[object]:
    """Search for SECONDS during an attack."""
    victim = httpx.Client(timeout=PATIENCE, transport=httpx.HTTPTransport(local_address=VICTIM))
    visitor = Server(server.address, server.pid, victim)
    seconds, failures, memory = [], Counter[str](), 0
    with attack as opened, victim:
        end = time.monotonic() + SECONDS
        for query in itertools.cycle(queries):
            began = time.monotonic()
            if began > end:
                break
            try:
                status = str(visitor.search(query).status)
            except httpx.TransportError as error:
                status = type(error).__name__
            seconds.append(time.monotonic() - began)
            if status != "200":
                failures[status] += 1
                time.sleep(1)
            memory = max(memory, memory_of(server.pid))
        still_open = sum(map(_is_open, opened))
    failed = ", ".join(f"{count} x {status}" for status, count in failures.items()) or 0
    return [len(seconds), f"{np.median(seconds):.2f}", f"{max(seconds):.2f}", failed, still_open, memory // 10**6]


@contextmanager
def _slow_pictures(server: Server, picture: bytes) -> Iterator[list[socket.socket]]:
    """Connections that upload the same picture again and again."""
    files = {"picture": ("slow.jpg", picture)}
    with _repeating(SLOW_PICTURES, lambda client: client.post(_search(server), files=files), 0.5):
        time.sleep(2)
        yield []


@contextmanager
def _dripping_uploads(server: Server) -> Iterator[list[socket.socket]]:
    """Uploads of which a byte arrives every few seconds."""
    head = b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    begun = head + b"Content-Length: 1000000\r\n\r\n--x\r\nContent-Disposition"
    with _opened(server, UPLOADS, begun) as opened:
        ended = threading.Event()
        dripping = threading.Thread(target=_drip, args=(opened, ended))
        dripping.start()
        yield opened
        ended.set()
        dripping.join()


@contextmanager
def _half_sent_headers(server: Server) -> Iterator[list[socket.socket]]:
    with _opened(server, HEADERS, b"GET /v1/index HTTP/1.1\r\nHost: loc") as opened:
        yield opened


@contextmanager
def _many_connections(server: Server, query: BoxedQuery) -> Iterator[list[socket.socket]]:
    """Connections that search, together within the rate of one client."""
    files = {"picture": ("query.jpg", query.image.read_bytes())}
    pause = 60 * SEARCHING / RATE
    with _repeating(SEARCHING, lambda client: client.post(_search(server), files=files), pause):
        time.sleep(2)
        yield []


@contextmanager
def _repeating(connections: int, request: Callable[[httpx.Client], object], pause: float) -> Iterator[None]:
    """Send a request again and again on several connections, at most one every `pause` seconds on each."""
    ended = threading.Event()

    def repeat() -> None:
        with httpx.Client(timeout=PATIENCE, transport=httpx.HTTPTransport(local_address=ATTACKER)) as client:
            while not ended.is_set():
                began = time.monotonic()
                with contextlib.suppress(httpx.TransportError):
                    request(client)
                ended.wait(max(began + pause - time.monotonic(), 0))

    with ThreadPoolExecutor(connections) as pool:
        for _ in range(connections):
            pool.submit(repeat)
        try:
            yield
        finally:
            ended.set()


@contextmanager
def _opened(server: Server, count: int, begun: bytes) -> Iterator[list[socket.socket]]:
    """Connections on which only the beginning of a request is sent."""
    import resource  # unavailable on Windows

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    place = urlsplit(server.address)
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            connection = socket.create_connection((place.hostname, place.port), source_address=(ATTACKER, 0))
            opened.append(stack.enter_context(connection))
            with contextlib.suppress(OSError):
                connection.sendall(begun)
        yield opened


def _drip(opened: list[socket.socket], ended: threading.Event) -> None:
    while not ended.wait(5):
        for connection in opened:
            with contextlib.suppress(OSError):
                connection.send(b"-")


def _is_open(connection: socket.socket) -> bool:
    """Whether the server keeps the connection."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if not poll.poll(0):
        return True
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def _search(server: Server) -> str:
    return f"{server.address}/v1/search"


@cache
def largest_picture() -> bytes:
    """A progressive JPEG of 100 million pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (500, 500, 3), dtype=np.uint8)
    return _encoded(Pillow.fromarray(noise).resize((10_000, 10_000), Pillow.Resampling.BICUBIC))


@cache
def many_scans(scans: int = 3000) -> bytes:
    """A grey progressive JPEG that repeats its last scan."""
    once = _encoded(Pillow.new("L", (10_000, 10_000), 128))
    last = once[once.rindex(b"\xff\xda") : -2]
    return once[:-2] + scans * last + once[-2:]


def _encoded(picture: Pillow.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85, progressive=True)
    return file.getvalue()


ATTACKS: dict[str, Callable[[Server, BoxedQuery], Attack]] = {
    "5 x a JPEG of 3,000 scans": lambda server, _: _slow_pictures(server, many_scans()),
    "5 x a JPEG of 100 million pixels": lambda server, _: _slow_pictures(server, largest_picture()),
    "40 dripping uploads": lambda server, _: _dripping_uploads(server),
    "800 half-sent headers": lambda server, _: _half_sent_headers(server),
    "36 connections that search": _many_connections,
}
