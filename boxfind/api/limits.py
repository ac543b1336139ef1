"""Request limits: body size, requests per minute of each client, and concurrent searches and uploads."""

import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from fastapi import HTTPException
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from boxfind.api.problems import refusal, unavailable
from retrieval.images.limits import LIMITS

MAX_UPLOAD_BYTES = LIMITS.file_bytes + 1_000_000
"""Maximum bytes of a multipart request: a picture file and its form fields."""
MAX_BODY_BYTES = 64_000
"""Maximum bytes of any other request."""
MAX_UPLOADS = 40
"""Maximum concurrent uploads, each buffered on disk; a few more than the number of waiting searches."""
UNLIMITED = ("/health", "/ready")
"""Paths for monitoring, exempt from all limits."""
MAX_CLIENTS = 10_000
"""Number of clients tracked; beyond it, the least recently seen client is dropped."""


class SearchSlots:
    """Limit concurrent searches to `at_once`. Up to `waiting` more wait for a slot; others are refused.

    A search waits at most `seconds`, which leaves time to answer before clients time out, usually after one minute.
    """

    def __init__(self, at_once: int, waiting: int = 32, seconds: float = 45.0) -> None:
        self._free = anyio.Semaphore(at_once)
        self._waiting = waiting
        self._seconds = seconds

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Hold a slot for the duration of the body. Raises HTTPException 503."""
        if self._free.value == 0 and self._free.statistics().tasks_waiting >= self._waiting:
            raise unavailable("The server is busy with other searches; try again in a moment.")
        with anyio.move_on_after(self._seconds) as waited:
            await self._free.acquire()
        if waited.cancelled_caught:
            raise unavailable("No search slot became free in time; try again in a moment.")
        try:
            yield
        finally:
            self._free.release()


class RateLimiter:
    """A token bucket per client: `per_minute` requests per minute, in bursts of up to `per_minute`."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._tokens: dict[str, tuple[float, float]] = {}  # client -> (tokens, time of update), least recent first

    def seconds_to_wait(self, client: str) -> float:
        """Count a request and return 0, or return the seconds to wait before it is allowed."""
        now = self._clock()
        tokens, updated = self._tokens.pop(client, (float(self._per_minute), now))
        tokens = min(tokens + (now - updated) * self._per_minute / 60, self._per_minute)
        self._tokens[client] = (tokens - 1 if tokens >= 1 else tokens), now
        if len(self._tokens) > MAX_CLIENTS:
            del self._tokens[next(iter(self._tokens))]
        return 0.0 if tokens >= 1 else (1 - tokens) * 60 / self._per_minute


class Limits:
    """Middleware that rejects requests that are too frequent, too large or not in UTF-8.

    It also rejects uploads beyond MAX_UPLOADS at once.
    """

    def __init__(self, app: ASGIApp, rate_limiter: RateLimiter) -> None:
        self._app = app
        self._rate_limiter = rate_limiter
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) in UNLIMITED:
            await self._app(scope, receive, send)
            return
        wait = self._rate_limiter.seconds_to_wait(scope["client"][0] if scope.get("client") else "")
        headers = Headers(scope=scope)
        kind, options = parse_options_header(headers.get("content-type", ""))
        upload = kind == b"multipart/form-data"
        most = MAX_UPLOAD_BYTES if upload else MAX_BODY_BYTES
        announced = headers.get("content-length", "0")
        if wait:
            seconds = math.ceil(wait)
            refused = refusal(429, f"Too many requests; try again in {seconds} s.", seconds)
        elif announced.isdecimal() and int(announced) > most:
            refused = refusal(413, _too_large(most))
        elif options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
            refused = refusal(422, "The request is not in UTF-8; send it in UTF-8.")
        elif upload and self._uploads >= MAX_UPLOADS:
            refused = refusal(503, "The server is busy with other uploads; try again in a moment.")
        else:
            self._uploads += upload
            try:
                await self._app(scope, _counted(receive, most), send)
            finally:
                self._uploads -= upload
            return
        await refused(scope, receive, send)


def _counted(receive: Receive, most: int) -> Receive:
    """Pass messages through; fail with 413 as soon as the body exceeds `most` bytes."""
    received = 0

    async def receiving() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(413, _too_large(most))  # body parsers let an HTTPException propagate
        return message

    return receiving


def _too_large(most: int) -> str:
    return f"The request is larger than {most / 1e6:.2g} MB; send a smaller one."
