"""Error responses of the API and their HTTP status codes."""

import secrets

from fastapi import HTTPException, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from boxfind.collection_table import CollectionsProblem, UnknownCollection, UnreadableTable, UnwritableTable
from boxfind.logs import log
from boxfind.searches.errors import BadLink, UnknownAlbum
from index.operations.add_images import AlreadyThere
from index.storage.disk_space import FULL
from retrieval.errors import (
    BadBox,
    BoxfindError,
    BuildRunning,
    DiskFull,
    GalleryAway,
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

STATUS: dict[type[BoxfindError], int] = {
    UnknownPicture: 404,
    UnknownFolder: 404,
    UnknownAlbum: 404,
    UnknownCollection: 404,
    UnreadableTable: 503,
    UnwritableTable: 503,
    CollectionsProblem: 422,
    PictureGone: 404,
    GalleryAway: 503,
    AlreadyThere: 409,
    BuildRunning: 409,
    UnreadableImage: 422,
    BadBox: 422,
    BadLink: 422,
    UnknownName: 422,
    RuntimeMissing: 501,
    BoxfindError: 503,  # all others are faults of the server and may be temporary
    DiskFull: 507,
}
NO_JSON = "json_invalid", "model_attributes_type"
"""Pydantic's error types for a body that is not JSON, and for one without the JSON content type."""
RETRY_AFTER = 5
"""Default of the Retry-After header, in seconds."""


def refusal(status: int, detail: str, retry_after: int = RETRY_AFTER) -> JSONResponse:
    """Make an error response. With status 429 or 503 it says when to retry, in seconds."""
    return JSONResponse({"detail": detail}, status, {"Retry-After": str(retry_after)} if status in (429, 503) else {})


def unavailable(detail: str) -> HTTPException:
    """Make the exception that a route raises when it cannot answer now."""
    return HTTPException(503, detail, {"Retry-After": str(RETRY_AFTER)})


async def boxfind_error(request: Request, problem: Exception) -> JSONResponse:
    """Exception handler for BoxfindError."""
    assert isinstance(problem, BoxfindError)
    status = next(STATUS[kind] for kind in type(problem).__mro__ if kind in STATUS)
    return refusal(status, public_message(problem))


async def http_error(request: Request, problem: Exception) -> Response:
    """Exception handler for HTTPException. FastAPI answers 400 to any failure to store a body, such as a full disk."""
    assert isinstance(problem, AnyHTTPException)
    if isinstance(fault := problem.__cause__, OSError):
        if fault.errno not in FULL:
            raise fault
        log.error("An upload cannot be stored in the temporary folder: %s.", fault.strerror)
        return refusal(507, "The server has no room for the upload; tell the administrator, or try again later.")
    return await http_exception_handler(request, problem)


async def validation_error(request: Request, problem: Exception) -> JSONResponse:
    """Exception handler for validation errors; the response describes the first one."""
    assert isinstance(problem, RequestValidationError)
    wrong = problem.errors()[0]
    # Errors about the whole body have the location ("body",) or ("body", offset).
    if wrong["type"] in NO_JSON and len(wrong["loc"]) <= 2:
        return refusal(422, "The body is not valid JSON; send JSON with Content-Type: application/json.")
    where = ".".join(str(part) for part in wrong["loc"][1:]) or "The request"
    return refusal(422, f"{shown(where)}: {wrong['msg'].removeprefix('Value error, ')}.")


class Faults:
    """Middleware that answers unexpected exceptions with an error number and logs the details under it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response_started = False

        async def sending(message: Message) -> None:
            nonlocal response_started
            response_started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            number = secrets.token_hex(4)
            log.exception("Error %s", number)
            if response_started or scope["type"] != "http":
                raise
            detail = f"Internal error {number}; report this number to the administrator, who finds it in the log."
            await refusal(500, detail)(scope, receive, send)


def public_message(problem: BoxfindError) -> str:
    """Return the public message of an error. Details about missing weights files are only logged."""
    if not isinstance(problem, WeightsMissing):
        return str(problem)
    log.error("The index cannot be searched: %s", problem)
    return in_short(problem)
