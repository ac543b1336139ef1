"""Slow clients lose their connections; others do not notice."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from boxfind import connections
from boxfind.fair_turns import FairPlaces

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
BIG = 30_000_000
"""Bytes of a response that no socket buffer takes."""


async def answer(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def big(_: Request) -> Response:
    return Response(bytes(BIG))


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.send_text(await socket.receive_text())


async def flood(socket: WebSocket) -> None:
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        await socket.send_bytes(bytes(BIG))
        await socket.receive()


ROUTES = [
    Route("/", answer, methods=["GET", "POST"]),
    Route("/big", big),
    WebSocketRoute("/echo", echo),
    WebSocketRoute("/flood", flood),
]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    connections.limit_connections()
    config = uvicorn.Config(Starlette(routes=ROUTES), port=0, log_level="error", ws="websockets-sansio")
    config.timeout_keep_alive = 0.1  # less than the time for headers, as in production
    with running(config) as found:
        yield found


@contextlib.contextmanager
def running(config: uvicorn.Config) -> Iterator[int]:
    """Run a server in a thread; yields its port."""
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(20)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short limits, and places that no other test holds."""
    for name, value in {"HEAD_SECONDS": 0.5, "BODY_SECONDS": 0.5, "READ_SECONDS": 0.5, "TICK": 0.02}.items():
        monkeypatch.setattr(connections, name, value)
    for name in ("_connections", "_web_sockets"):
        monkeypatch.setattr(connections, name, FairPlaces(50))


def open_connection(port: int, sent: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))
    with contextlib.suppress(ConnectionError):  # the server has closed it already
        connection.sendall(sent)
    return connection


def need_address(address: str) -> None:
    """Skip the test on systems with a single loopback address."""
    with socket.socket() as bound:
        try:
            bound.bind((address, 0))
        except OSError:
            pytest.skip(f"{address} is no address of this system")


def is_closed(connection: socket.socket, meanwhile: Callable[[], object] = lambda: None) -> bool:
    """Wait until the server closes a connection; calls `meanwhile` again and again."""
    connection.settimeout(0.02)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(TimeoutError):
            try:
                meanwhile()
                if connection.recv(100) == b"":
                    return True
            except (ConnectionResetError, BrokenPipeError):
                return True
    return False


def ask(port: int, source: str = "127.0.0.1") -> bytes:
    with open_connection(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", source) as asking:
        return b"".join(iter(lambda: asking.recv(1000), b""))


@pytest.mark.parametrize("sent", [b"", b"GET / HT", HEAD])
def test_r62_half_sent_headers_are_closed(port, sent):
    with open_connection(port, sent) as silent, open_connection(port, sent) as dripping:
        assert b"200 OK" in ask(port)
        assert is_closed(silent) and is_closed(dripping, lambda: dripping.send(b"a"))


def test_r62_a_dripping_body_is_closed(port):
    with open_connection(port, HEAD + b"\r\n") as silent, open_connection(port, HEAD + b"\r\n") as dripping:
        assert b"200 OK" in ask(port)
        assert is_closed(silent) and is_closed(dripping, lambda: dripping.send(b"a"))


def test_r62_the_second_request_of_a_connection_is_limited_too(port):
    with open_connection(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") as connection:
        assert b"200 OK" in connection.recv(1000)
        assert is_closed(connection, lambda: connection.send(b"G"))


def get_big(kept: bool) -> bytes:
    return b"GET /big HTTP/1.1\r\nHost: localhost\r\n" + (b"" if kept else b"Connection: close\r\n") + b"\r\n"


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("kept", [True, False], ids=["keep-alive", "close"])
def test_r62_a_response_that_nobody_reads_is_given_up(port, monkeypatch, kept):
    lost, gone = [], connections.AutoHTTPProtocol.connection_lost

    def connection_lost(self, why):
        lost.append(len(connections._connections._held))
        gone(self, why)

    monkeypatch.setattr(connections.AutoHTTPProtocol, "connection_lost", connection_lost)
    with open_connection(port, get_big(kept)):
        until(lambda: lost)
    assert lost == [1], "it has its place as long as the response is in memory"
    until(lambda: not connections._connections._held)


@pytest.mark.parametrize("kept", [True, False], ids=["keep-alive", "close"])
def test_r62_a_response_is_read_at_a_minimum_rate(port, monkeypatch, kept):
    received = 0

    def read_a_little() -> None:
        nonlocal received
        received += len(reader.recv(100_000))
        time.sleep(0.02)

    monkeypatch.setattr(connections, "RATE", 100_000_000)
    with open_connection(port, get_big(kept)) as reader:
        assert is_closed(reader, read_a_little)
    assert 0 < received < BIG / 2


@pytest.mark.parametrize("kept", [True, False], ids=["keep-alive", "close"])
def test_a_slow_reader_above_the_minimum_rate_is_waited_for(port, kept):
    with open_connection(port, get_big(kept)) as reader:
        received = 0
        while part := reader.recv(1_000_000):
            received += len(part)
            time.sleep(0.03)
    assert received > BIG


def test_a_slow_upload_above_the_minimum_rate_is_waited_for(port, monkeypatch):
    monkeypatch.setattr(connections, "RATE", 100)
    with open_connection(port, HEAD.replace(b"1000000", b"2000") + b"\r\n") as sending:
        for _ in range(20):
            sending.sendall(bytes(100))
            time.sleep(0.03)
        assert b"2000" in sending.recv(1000)


def test_web_sockets_stay_open(port):
    with connect(f"ws://127.0.0.1:{port}/echo", proxy=None) as client:
        time.sleep(1.2)
        client.send("still here")
        assert client.recv(10) == "still here"


def test_r62_web_sockets_are_shared_among_clients(port, monkeypatch):
    need_address("127.0.0.2")
    monkeypatch.setattr(connections, "_web_sockets", FairPlaces(2))
    with contextlib.ExitStack() as stack:

        def opened(source: str = "127.0.0.1"):
            asking = connect(f"ws://127.0.0.1:{port}/echo", proxy=None, source_address=(source, 0))
            return stack.enter_context(asking)

        first, second = opened(), opened()
        other = opened("127.0.0.2")
        with pytest.raises(ConnectionClosed):
            second.recv(10)
        for client in (first, other):
            client.send("still here")
            assert client.recv(10) == "still here"
        assert not connections._connections._held
    until(lambda: not connections._web_sockets._held)


def test_r62_a_web_socket_that_is_not_read_is_closed(port):
    with connect(f"ws://127.0.0.1:{port}/flood", proxy=None, max_queue=1):
        until(lambda: connections._web_sockets._held)
        until(lambda: not connections._web_sockets._held)


def test_r62_connections_are_shared_among_clients(port, monkeypatch):
    need_address("127.0.0.2")
    monkeypatch.setattr(connections, "HEAD_SECONDS", 20.0)
    monkeypatch.setattr(connections, "_connections", FairPlaces(5))
    with contextlib.ExitStack() as stack:
        greedy = [stack.enter_context(open_connection(port, b"GET")) for _ in range(8)]
        assert sum(is_closed(connection) for connection in greedy[5:]) == 3
        assert b"200 OK" in ask(port, source="127.0.0.2") and is_closed(greedy[4])


def test_r70_only_configured_proxies_name_the_client(monkeypatch):
    monkeypatch.setattr(uvicorn.config, "ProxyHeadersMiddleware", uvicorn.config.ProxyHeadersMiddleware)
    for proxies, client in (((), "127.0.0.1"), (("10.0.0.1",), "127.0.0.1"), (("127.0.0.1",), "192.0.2.9")):
        connections.believe_only(proxies)
        config = uvicorn.Config(
            Starlette(routes=[Route("/", told)]), forwarded_allow_ips="*", port=0, log_level="error"
        )
        with running(config) as port, open_connection(port, FORWARDED) as asking:
            assert b"".join(iter(lambda: asking.recv(1000), b"")).endswith(client.encode())


FORWARDED = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 198.51.100.1, 192.0.2.9\r\nConnection: close\r\n\r\n"
)


async def told(request: Request) -> Response:
    return PlainTextResponse(request.client.host)
