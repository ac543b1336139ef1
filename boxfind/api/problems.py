"""API errors: exceptions, their HTTP status codes and the responses made from them."""

import math
import secrets

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from boxfind.logs import log
from boxfind.searches.errors import BadLink
from index.operations.add_images import AlreadyThere
from retrieval.errors import (
    BadBox,
    BoxfindError,
    BuildRunning,
    DiskFull,
    PictureGone,
    RuntimeMissing,
    UnknownFolder,
    UnknownName,
    UnknownPicture,
    UnreadableImage,
    WeightsMissing,
    in_short,
)
from retrieval.printable_names import shown


class NoToken(BoxfindError):
    """The administrator token is missing or wrong."""


class NobodyMay(BoxfindError):
    """The server has no administrator token, so all administrator requests are refused."""


class NothingRuns(BoxfindError):
    """No build is running that could be cancelled."""


class TooLarge(BoxfindError):
    """The request exceeds the size limit."""


class NotUtf8(BoxfindError):
    """The request declares another character set; decoding some of them is far more expensive than sending."""


class TooOften(BoxfindError):
    """The client exceeds its request rate; it may retry after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = math.ceil(seconds)
        super().__init__(f"Too many requests; try again in {self.seconds} s.")


class Busy(BoxfindError):
    """All slots and waiting places are taken."""


class NotReady(BoxfindError):
    """Searches cannot be answered yet, or at the moment."""


STATUS: dict[type[BoxfindError], int] = {
    NoToken: 401,
    NobodyMay: 403,
    UnknownPicture: 404,
    UnknownFolder: 404,
    PictureGone: 404,
    AlreadyThere: 409,
    BuildRunning: 409,
    NothingRuns: 409,
    TooLarge: 413,
    NotUtf8: 422,
    UnreadableImage: 422,
    BadBox: 422,
    BadLink: 422,
    UnknownName: 422,
    TooOften: 429,
    RuntimeMissing: 501,
    BoxfindError: 503,  # all others are faults of the server and may be temporary
    DiskFull: 507,
}
NO_JSON = "json_invalid", "model_attributes_type"
"""Pydantic's error types for a body that is not JSON, and for one without the JSON content type."""
RETRY_AFTER = 5
"""Default of the Retry-After header, in seconds."""


def refusal(problem: BoxfindError) -> JSONResponse:
    """Make the error response for an exception."""
    status = next(STATUS[kind] for kind in type(problem).__mro__ if kind in STATUS)
    headers = {}
    if status in (429, 503):
        headers["Retry-After"] = str(problem.seconds if isinstance(problem, TooOften) else RETRY_AFTER)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"detail": sentence_for(problem)}, status, headers)


async def tell(request: Request, problem: Exception) -> JSONResponse:
    """Exception handler for BoxfindError."""
    assert isinstance(problem, BoxfindError)
    return refusal(problem)


async def tell_invalid(request: Request, problem: Exception) -> JSONResponse:
    """Exception handler for validation errors; describes the first one."""
    assert isinstance(problem, RequestValidationError)
    wrong = problem.errors()[0]
    if (
        wrong["type"] in NO_JSON and len(wrong["loc"]) <= 2
    ):  # about the body as a whole; the second element is an offset
        detail = "The body is not valid JSON; send JSON with Content-Type: application/json."
        return JSONResponse({"detail": detail}, 422)
    where = ".".join(str(part) for part in wrong["loc"][1:]) or "The request"
    return JSONResponse({"detail": f"{shown(where)}: {wrong['msg']}."}, 422)


class Faults:
    """Middleware that answers unexpected exceptions with an error number and logs the details under it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            number = secrets.token_hex(4)
            log.exception("Error %s", number)
            if begun or scope["type"] != "http":
                raise
            sentence = (
                f"Internal error {number}; report this number to the administrator, who finds the details in the log."
            )
            await JSONResponse({"detail": sentence}, 500)(scope, receive, send)


def sentence_for(problem: BoxfindError) -> str:
    """Return the public message of an error. Details about missing weights files are only logged."""
    if not isinstance(problem, WeightsMissing):
        return str(problem)
    log.error("The index cannot be searched: %s", problem)
    return in_short(problem)
