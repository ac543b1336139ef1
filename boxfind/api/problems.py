"""What can go wrong with a request of another program: each problem has a status and a sentence."""

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
    """The request needs the token of administrators, and does not have it."""


class NobodyMay(BoxfindError):
    """There is no such token, so that nobody may do it."""


class NothingRuns(BoxfindError):
    """There is no build that could be stopped."""


class TooLarge(BoxfindError):
    """The request has more bytes than any that could be answered."""


class NotUtf8(BoxfindError):
    """A form in a character set that takes much longer to decode than to send."""


class TooOften(BoxfindError):
    """A client asks more often than it may; `seconds` until it may again."""

    def __init__(self, seconds: float) -> None:
        self.seconds = math.ceil(seconds)
        super().__init__(f"Too many requests; ask again in {self.seconds} s.")


class Busy(BoxfindError):
    """As many as may wait for an answer do so already."""


class NotReady(BoxfindError):
    """Nothing can be searched yet, or now."""


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
    BoxfindError: 503,  # every other: what stands in the way is on this side, and may pass
    DiskFull: 507,
}
NO_JSON = "json_invalid", "model_attributes_type"
"""What FastAPI calls a body that is not JSON, and one that does not say that it is."""
RETRY_AFTER = 5
"""Seconds after which to ask again where nobody knows better."""


def refusal(problem: BoxfindError) -> JSONResponse:
    """The answer that tells a problem."""
    status = next(STATUS[kind] for kind in type(problem).__mro__ if kind in STATUS)
    headers = {}
    if status in (429, 503):
        headers["Retry-After"] = str(problem.seconds if isinstance(problem, TooOften) else RETRY_AFTER)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"detail": sentence_for(problem)}, status, headers)


async def tell(request: Request, problem: Exception) -> JSONResponse:
    """For FastAPI: a BoxfindError became the answer."""
    assert isinstance(problem, BoxfindError)
    return refusal(problem)


async def tell_invalid(request: Request, problem: Exception) -> JSONResponse:
    """For FastAPI: what was sent does not fit the schema; the first thing that is wrong, in a sentence."""
    assert isinstance(problem, RequestValidationError)
    wrong = problem.errors()[0]
    if wrong["type"] in NO_JSON and len(wrong["loc"]) <= 2:  # of the whole body; the second part is a place in it
        return JSONResponse({"detail": "The request is no JSON; send it with Content-Type: application/json."}, 422)
    where = ".".join(str(part) for part in wrong["loc"][1:]) or "The request"
    return JSONResponse({"detail": f"{shown(where)}: {wrong['msg']}."}, 422)


class Faults:
    """Round the whole API: an error nobody foresaw gets a number, under which the log has the details."""

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
                f"Something went wrong (error {number}); whoever runs this program finds the reason in its log under "
                "that number."
            )
            await JSONResponse({"detail": sentence}, 500)(scope, receive, send)


def sentence_for(problem: BoxfindError) -> str:
    """What is said of it to whoever asks. What is missing on this machine, and where, is for the log."""
    if not isinstance(problem, WeightsMissing):
        return str(problem)
    log.error("Searching is not possible: %s", problem)
    return in_short(problem)
