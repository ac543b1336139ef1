"""Share limited places and turns among clients, so that nobody waits for one who takes more than others.

A client is an address (`client_of`), which a visitor cannot multiply at will, unlike sessions and cookies.
"""

import ipaddress
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

from retrieval.errors import Busy

MAX_CLIENTS = 10_000
"""Number of clients remembered; beyond it, the least recently seen client is forgotten."""
IPV6_NETWORK = 64
"""Bits of an IPv6 address that count: one subscriber has all addresses below them."""


def client_of(address: str | None) -> str:
    """The client behind an address: the IPv4 address, or the network of an IPv6 address."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(found), IPV6_NETWORK), strict=False))
    return str(found)


@dataclass(eq=False, slots=True)
class Place:
    """A place that a client holds; `displace` is called when another client gets it."""

    client: str
    displace: Callable[[], None]


class FairPlaces:
    """Up to `total` places. When all are taken, the newest of the client with most goes to a client with fewer.

    Thread-safe.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._lock = threading.Lock()
        self._held: dict[str, list[Place]] = {}  # oldest first

    def take(self, client: str, displace: Callable[[], None]) -> Place:
        """Take a place until it is left or displaced. Raises Busy."""
        place, displaced = Place(client, displace), None
        with self._lock:
            if sum(map(len, self._held.values())) >= self._total:
                greediest = max(self._held.values(), key=len, default=[])
                if len(greediest) <= len(self._held.get(client, ())) + 1:
                    raise Busy("The server is busy; try again in a moment.")
                displaced = greediest[-1]
                self._drop(displaced)
            self._held.setdefault(client, []).append(place)
        if displaced:
            displaced.displace()
        return place

    def leave(self, place: Place) -> None:
        """Give the place back; does nothing if it was displaced."""
        with self._lock:
            self._drop(place)

    def _drop(self, place: Place) -> None:
        held = self._held.get(place.client, [])
        if place in held:
            held.remove(place)
        if not held:
            self._held.pop(place.client, None)


@dataclass(eq=False, slots=True)
class _Turn:
    """A turn; `begun` is done when it begins, and holds Busy if another client got its place in the queue."""

    client: str
    begun: Future[None] = field(default_factory=Future)
    since: float = 0.0
    """When it began."""


class FairTurns:
    """Up to `at_once` turns run; up to `waiting` more wait, at most `seconds`, and others are refused.

    The next turn goes to the client that has used the least time. In a full queue the client with most waiting
    turns loses its newest to a client with fewer. Thread-safe.
    """

    def __init__(
        self,
        at_once: int,
        waiting: int = 32,
        seconds: float = 45.0,
        spare: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """One client runs `at_once - spare` turns at most, for turns that take long; at least one."""
        self._at_once = at_once
        self._each = max(at_once - spare, 1)
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._queue = FairPlaces(waiting)
        self._waiting: dict[_Turn, Place] = {}  # in the order of arrival
        self._running: set[_Turn] = set()
        # client -> seconds used since the server was last idle, above the level; least recent first
        self._used: dict[str, float] = {}
        self._level = 0.0  # use of the client whose turn began last (start-time fair queueing; Goyal et al., 1996)

    @contextmanager
    def hold(self, client: str = "") -> Iterator[None]:
        """Wait for a turn and keep it during the body. Raises Busy."""
        turn = _Turn(client)
        with self._lock:
            if self._may_run(client):
                self._begin(turn)
            else:
                self._waiting[turn] = self._queue.take(client, lambda: self._displace(turn))
        try:
            self._wait(turn)
            yield
        finally:
            with self._lock:
                self._end(turn)

    def _wait(self, turn: _Turn) -> None:
        try:
            turn.begun.result(self._seconds)
        except TimeoutError:
            raise Busy("The server is busy and no turn came up in time; try again in a moment.") from None

    def _may_run(self, client: str) -> bool:
        own = sum(turn.client == client for turn in self._running)
        return len(self._running) < self._at_once and own < self._each

    def _begin(self, turn: _Turn) -> None:
        turn.since = self._clock()
        self._level = self._use(turn.client)
        self._running.add(turn)
        turn.begun.set_result(None)

    def _displace(self, turn: _Turn) -> None:
        """Called by `take` within the lock."""
        del self._waiting[turn]
        turn.begun.set_exception(Busy("The server is busy with the requests of others; try again in a moment."))

    def _end(self, turn: _Turn) -> None:
        """Remove a turn, whether it ran or not, and begin those that may run now."""
        if place := self._waiting.pop(turn, None):
            self._queue.leave(place)
        if turn in self._running:
            self._running.remove(turn)
            used = self._use(turn.client) + self._clock() - turn.since
            self._used.pop(turn.client, None)
            self._used[turn.client] = used
        while able := [turn for turn in self._waiting if self._may_run(turn.client)]:
            now = self._clock()
            following = min(able, key=lambda turn: self._use_with_running(turn.client, now))
            self._queue.leave(self._waiting.pop(following))
            self._begin(following)
        if not self._running and not self._waiting:
            self._used, self._level = {}, 0.0
        self._used = {client: used for client, used in self._used.items() if used > self._level}
        if len(self._used) > MAX_CLIENTS:
            del self._used[next(iter(self._used))]

    def _use(self, client: str) -> float:
        """Seconds charged to a client: at least those of the turn that began last, so that idleness earns nothing."""
        return max(self._used.get(client, 0.0), self._level)

    def _use_with_running(self, client: str, now: float) -> float:
        return self._use(client) + sum(now - turn.since for turn in self._running if turn.client == client)
