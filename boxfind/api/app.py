"""Assemble the FastAPI application: routes, middleware and error handlers."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from boxfind.api import collections, gallery, health, index
from boxfind.api import search as searching
from boxfind.api.dependencies import Dependencies, load
from boxfind.api.limits import Limits, RateLimiter
from boxfind.api.origins import SameOrigin
from boxfind.api.problems import Faults, boxfind_error, http_error, validation_error
from boxfind.api.responses import answers
from boxfind.engines import Engines
from retrieval.errors import BoxfindError

WAITING_THREADS = 64
"""Additional threads for requests that wait for a decoder or a search turn, so that others find a free one."""
ABOUT = (
    "Send a picture and a box around an object to find the gallery pictures that contain this object. Boxes are x, y, "
    'width and height in pixels of the upright picture. Errors are returned as `{"detail": message}`.'
)


def make_api(engines: Engines) -> FastAPI:
    """Make the API of engines that may also serve other clients. The first index is loaded on startup."""
    settings = engines.settings
    rate_limiter = RateLimiter(settings.api.rate)
    api = FastAPI(
        title="Boxfind",
        version="1",
        description=ABOUT,
        docs_url=None,  # FastAPI's docs pages load scripts from the internet
        redoc_url=None,
        lifespan=loaded,
        responses=answers(500),
        middleware=[
            Middleware(Faults),
            Middleware(TrustedHostMiddleware, allowed_hosts=settings.api.hosts, www_redirect=False),
            Middleware(SameOrigin),
            Middleware(Limits, rate_limiter=rate_limiter, upload_mb=settings.api.upload_mb),
        ],
        exception_handlers={
            BoxfindError: boxfind_error,
            HTTPException: http_error,
            RequestValidationError: validation_error,
        },
    )
    api.state.dependencies = Dependencies(engines, rate_limiter)
    api.include_router(health.routes)
    for family in (searching, gallery, index, collections):
        api.include_router(family.routes, prefix="/v1", responses=answers(400, 403, 404, 413, 422, 429, 503, 507))
    return api


@asynccontextmanager
async def loaded(api: FastAPI) -> AsyncIterator[None]:
    """Start loading the index and the network, and watching the folder; on shutdown stop it and the decoders."""
    found: Dependencies = api.state.dependencies
    current_default_thread_limiter().total_tokens += WAITING_THREADS
    threading.Thread(target=load, args=(found.engines, found.load_finished), daemon=True).start()
    found.engines.watch()
    yield
    await run_in_threadpool(found.engines.stop_watching)
    await run_in_threadpool(found.engines.shared.visitor_pictures.close)
