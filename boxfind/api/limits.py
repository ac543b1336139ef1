"""How much one client, and all of them together, may ask for: bytes a request, requests a minute, searches at once."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from fastapi import HTTPException
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from boxfind.api.problems import Busy, NotUtf8, TooLarge, TooOften, refusal
from retrieval.images.limits import LIMITS

UPLOAD = LIMITS.file_bytes + 1_000_000
"""Bytes of a request that may bring a picture, with what stands round it."""
TEXT = 64_000
"""Bytes of any other request."""
UPLOADS = 40
"""Requests with pictures that may be under way at once, each on disk: some more than may wait for their turn."""
UNLIMITED = ("/health", "/ready")
"""Whoever watches over the program may ask as often as needed."""
MOST_CLIENTS = 10_000
"""Clients that are remembered; of more, those that have not asked for longest are forgotten."""


class SearchSlots:
    """Lets so many searches in at once; some more wait, all others are sent away.

    Nobody waits for the minute after which many clients and proxies give up; a slow search fits into the rest of it.
    """

    def __init__(self, at_once: int, waiting: int = 32, seconds: float = 45.0) -> None:
        self._room = at_once + waiting
        self._free = anyio.Semaphore(at_once)
        self._seconds = seconds
        self._inside = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a place and keeps it for the body. Raises Busy."""
        if self._inside >= self._room:
            raise Busy("Too many searches at once; ask again in a moment.")
        self._inside += 1
        try:
            with anyio.move_on_after(self._seconds) as waited:
                await self._free.acquire()
            if waited.cancelled_caught:
                raise Busy("Searches take longer than usual now; ask again in a moment.")
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._inside -= 1


class Rate:
    """So many requests a minute from each client, which may come all at once (a token bucket)."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}  # in the order of the last request

    def wait(self, client: str) -> float:
        """Counts a request, or says how many seconds to wait before it may be made."""
        now = self._clock()
        left, then = self._left.pop(client, (float(self._most), now))
        left = min(left + (now - then) * self._most / 60, self._most)
        self._left[client] = (left - 1 if left >= 1 else left), now
        if len(self._left) > MOST_CLIENTS:
            del self._left[next(iter(self._left))]
        return 0.0 if left >= 1 else (1 - left) * 60 / self._most


class Limits:
    """Round the whole API: requests that come too often or are too large go no further."""

    def __init__(self, app: ASGIApp, rate: Rate) -> None:
        self._app = app
        self._rate = rate
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) in UNLIMITED:
            await self._app(scope, receive, send)
            return
        wait = self._rate.wait(scope["client"][0] if scope.get("client") else "")
        headers = Headers(scope=scope)
        kind, options = parse_options_header(headers.get("content-type", ""))
        upload = kind == b"multipart/form-data"
        most = UPLOAD if upload else TEXT
        announced = headers.get("content-length", "0")
        if wait:
            await refusal(TooOften(wait))(scope, receive, send)
        elif announced.isdecimal() and int(announced) > most:
            await refusal(_too_large(most))(scope, receive, send)
        elif options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
            await refusal(NotUtf8("Send the request in UTF-8."))(scope, receive, send)
        elif upload and self._uploads >= UPLOADS:
            await refusal(Busy("Too many pictures at once; ask again in a moment."))(scope, receive, send)
        else:
            self._uploads += upload
            try:
                await self._app(scope, _counted(receive, most), send)
            finally:
                self._uploads -= upload


def _counted(receive: Receive, most: int) -> Receive:
    """The same messages; one that brings more bytes than announced, or than may be, ends the request."""
    came = 0

    async def receiving() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > most:
            raise HTTPException(413, str(_too_large(most)))  # whatever reads the body lets this one pass
        return message

    return receiving


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The request has more than the {most / 1e6:.2g} MB that it may have; send a smaller one.")
