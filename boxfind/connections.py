"""Bound slow clients of every HTTP server in this process: the API's and Streamlit's.

uvicorn has no such options, and Streamlit makes its servers itself. So the methods of uvicorn's HTTP protocol are
wrapped, which also holds for servers that are running already.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from math import inf
from typing import Any

import uvicorn.config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from boxfind.fair_turns import FairPlaces, Place, client_of
from retrieval.errors import Busy

HEAD_SECONDS = 10.0
"""Seconds for the request line and the headers of a request."""
BODY_SECONDS = 20.0
"""Seconds for a body that is too small for the minimum rate to matter."""
READ_SECONDS = 30.0
"""Seconds for reading a response that is too small for the minimum rate to matter."""
RATE = 20_000
"""Minimum bytes a second of bodies and responses, on average."""
MAX_CONNECTIONS = 512
"""Concurrent connections without web sockets."""
MAX_WEB_SOCKETS = 384
"""Concurrent web sockets. Both limits leave some of the 1,024 files that a service may usually have open."""
TICK = 1.0
"""Seconds between two looks at a connection."""

_connections = FairPlaces(MAX_CONNECTIONS)
_web_sockets = FairPlaces(MAX_WEB_SOCKETS)


class _Watch:
    """Closes a connection whose client is too slow, or whose place goes to another client."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._client = client_of(connection.client[0] if connection.client else None)
        self._phase: tuple[str, object] = ("", None)
        self._seconds = 0.0  # in this phase, without those in which the server did not read
        self._received = self._read = 0  # bytes of the client and of the server, in this phase
        self._unread = 0
        self._place: Place | None = None
        self._enter(_connections)

    def receive(self, data: bytes) -> None:
        self._received += len(data)

    def look(self, *_: object) -> None:
        """Count what the client has read since the last look.

        Also called when the server stops and goes on writing, so that what it adds does not hide what was read.
        """
        unread = self._transport.get_write_buffer_size()
        self._read += max(self._unread - unread, 0)
        self._unread = unread

    def tick(self) -> None:
        """Look at the connection now and every TICK seconds, until it has ended."""
        if self._place is None:
            return
        if self._is_too_slow():
            self._transport.abort()
        asyncio.get_running_loop().call_later(TICK, self.tick)

    def upgrade(self) -> None:
        """Go on with the protocol of a web socket, which may be silent but must read."""
        socket, self._connection = self._transport.get_protocol(), None
        for name in ("pause_writing", "resume_writing"):
            _then(socket, name, self.look)
        _then(socket, "connection_lost", self.end)
        self.end()
        self._enter(_web_sockets)

    def end(self, *_: object) -> None:
        """Give the place back. A closed connection ends when all is read."""
        if self._place:
            self._places.leave(self._place)
            self._place = None

    def _enter(self, places: FairPlaces) -> None:
        self._places = places
        try:
            self._place = places.take(self._client, self._transport.abort)
        except Busy:
            self._transport.abort()

    def _is_too_slow(self) -> bool:
        self.look()
        phase = self._current_phase()
        if phase != self._phase:
            self._phase, self._seconds, self._received, self._read = phase, 0.0, 0, 0
        elif phase[0] != "body" or not self._connection.flow.read_paused:
            self._seconds += TICK
        return self._seconds > {
            "head": HEAD_SECONDS,
            "body": BODY_SECONDS + self._received / RATE,
            "response": READ_SECONDS + self._read / RATE,
        }.get(phase[0], inf)

    def _current_phase(self) -> tuple[str, object]:
        """What the server waits for. uvicorn takes a response for complete as soon as it is in the buffer."""
        if self._unread:
            return "response", None
        if self._connection is None:
            return "web socket", None
        cycle = self._connection.cycle
        if cycle is None or cycle.response_complete:
            return "head", cycle
        return "body" if cycle.more_body else "answer", cycle


@cache
def limit_connections() -> None:
    """Apply the limits to all connections that are made from now on."""

    def made(protocol: Any, _: asyncio.Transport) -> None:
        protocol.watch = _Watch(protocol)
        protocol.watch.tick()

    _then(AutoHTTPProtocol, "connection_made", made)
    wrapped: dict[str, Callable[..., None]] = {
        "data_received": _Watch.receive,
        "pause_writing": _Watch.look,
        "resume_writing": _Watch.look,
        "handle_websocket_upgrade": lambda watch, *_: watch.upgrade(),
        "connection_lost": _Watch.end,
    }
    for name, then in wrapped.items():
        _then(AutoHTTPProtocol, name, _of_watch(then))


def _then(owner: Any, name: str, then: Callable[..., None]) -> None:
    """Let a method of a class or an object be followed by a function with the same arguments."""
    method = getattr(owner, name)

    def both(*given: Any) -> None:
        method(*given)
        then(*given)

    setattr(owner, name, both)


def _of_watch(then: Callable[..., None]) -> Callable[..., None]:
    """A function of a protocol that calls a method of its watch, if the connection was made after the limits."""

    def of_protocol(protocol: Any, *given: Any) -> None:
        if watch := getattr(protocol, "watch", None):
            then(watch, *given)

    return of_protocol


def believe_only(proxies: Sequence[str]) -> None:
    """Let servers that load their application from now on believe X-Forwarded-For of these addresses only."""

    class ConfiguredProxies(ProxyHeadersMiddleware):
        def __init__(self, app: Any, trusted_hosts: object = None) -> None:
            super().__init__(app, [*proxies])

    uvicorn.config.ProxyHeadersMiddleware = ConfiguredProxies  # type: ignore[attr-defined]
