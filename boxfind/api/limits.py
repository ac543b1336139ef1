"""Request limits: body size, requests per minute of each client, and concurrent uploads."""

import math
import time
from collections.abc import Callable

import anyio
from fastapi import HTTPException
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from boxfind.api.problems import refusal
from boxfind.fair_turns import MAX_CLIENTS, FairPlaces, client_of
from retrieval.errors import Busy
from retrieval.images.limits import MEGABYTE

FORM_BYTES = 1_000_000
"""Maximum bytes of the fields of a multipart request beside its file."""
MAX_BODY_BYTES = 64_000
"""Maximum bytes of any other request."""
MAX_UPLOADS = 24
"""Maximum concurrent uploads, which are buffered on disk; a few more than the number of waiting searches."""
WRONG_TOKEN = 0.1
"""Share of the requests of a minute that a wrong token costs."""
UNLIMITED = ("/health", "/ready")
"""Paths for monitoring, exempt from all limits."""


UPLOADS_BUSY = refusal(503, "The server is busy with other uploads; try again in a moment.")


class RateLimiter:
    """A token bucket per client: `per_minute` requests per minute, in bursts of up to `per_minute`."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._tokens: dict[str, tuple[float, float]] = {}  # client -> (tokens, time of update), least recent first

    def seconds_to_wait(self, client: str) -> float:
        """Count a request and return 0, or return the seconds to wait before it is allowed."""
        tokens = self._take(client, 0)
        if tokens < 1:
            return (1 - tokens) * 60 / self._per_minute
        self._take(client, 1)
        return 0.0

    def count_wrong_token(self, client: str) -> None:
        """Count a wrong token, so that guessing soon has to wait for minutes."""
        self._take(client, max(self._per_minute * WRONG_TOKEN, 1))

    def _take(self, client: str, spent: float) -> float:
        """Spend tokens, also below zero; returns what is left."""
        now = self._clock()
        tokens, updated = self._tokens.pop(client, (float(self._per_minute), now))
        tokens = min(tokens + (now - updated) * self._per_minute / 60, self._per_minute) - spent
        self._tokens[client] = tokens, now
        if len(self._tokens) > MAX_CLIENTS:
            del self._tokens[next(iter(self._tokens))]
        return tokens


class Limits:
    """Middleware that rejects requests that are too frequent, too large or not in UTF-8.

    A file may have `upload_mb` megabytes. Of more than MAX_UPLOADS at once, those of the client with most are rejected,
    also while they are being received.
    """

    def __init__(self, app: ASGIApp, rate_limiter: RateLimiter, upload_mb: int) -> None:
        self._app = app
        self._rate_limiter = rate_limiter
        self._most = upload_mb * MEGABYTE + FORM_BYTES
        self._uploads = FairPlaces(MAX_UPLOADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) in UNLIMITED:
            await self._app(scope, receive, send)
            return
        client = client_of(scope["client"][0] if scope.get("client") else None)
        wait = self._rate_limiter.seconds_to_wait(client)
        headers = Headers(scope=scope)
        kind, options = parse_options_header(headers.get("content-type", ""))
        upload = kind == b"multipart/form-data"
        most = self._most if upload else MAX_BODY_BYTES
        announced = headers.get("content-length", "0")
        if wait:
            seconds = math.ceil(wait)
            refused = refusal(429, f"Too many requests; try again in {seconds} s.", seconds)
        elif announced.isdecimal() and int(announced) > most:
            refused = refusal(413, _too_large(most))
        elif options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
            refused = refusal(422, "The request is not in UTF-8; send it in UTF-8.")
        elif upload:
            await self._receive_upload(client, scope, _counted(receive, most), send)
            return
        else:
            await self._app(scope, _counted(receive, most), send)
            return
        await refused(scope, receive, send)

    async def _receive_upload(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold a place while the body is being received."""
        receiving = anyio.CancelScope()
        try:
            place = self._uploads.take(client, receiving.cancel)
        except Busy:
            await UPLOADS_BUSY(scope, receive, send)
            return

        async def until_complete() -> Message:
            message = await receive()
            if not message.get("more_body", False):
                self._uploads.leave(place)
            return message

        try:
            with receiving:
                await self._app(scope, until_complete, send)
        finally:
            self._uploads.leave(place)
        if receiving.cancelled_caught:
            await UPLOADS_BUSY(scope, receive, send)


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
    return f"The request is larger than {most / 1e6:g} MB; send a smaller one."
