"""Assemble the FastAPI application: routes, middleware and error handlers."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from boxfind.api import gallery, health, index
from boxfind.api import search as searching
from boxfind.api.dependencies import Dependencies, load
from boxfind.api.limits import Limits, RateLimiter, SearchSlots
from boxfind.api.problems import Faults, boxfind_error, validation_error
from boxfind.api.schemas import answers
from boxfind.engine import Engine
from retrieval.errors import BoxfindError

ABOUT = (
    "Send a picture and a box around an object to find the gallery pictures that contain this object. Boxes are x, y, "
    'width and height in pixels of the upright picture. Errors are returned as `{"detail": message}`.'
)


def make_api(engine: Engine) -> FastAPI:
    """Make the API of an engine, which may also serve other clients. The index is loaded on startup."""
    settings = engine.settings
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
            Middleware(Limits, rate_limiter=RateLimiter(settings.api.rate)),
        ],
        exception_handlers={BoxfindError: boxfind_error, RequestValidationError: validation_error},
    )
    api.state.dependencies = Dependencies(engine, SearchSlots(settings.api.searches), threading.Event())
    api.include_router(health.routes)
    for family in (searching, gallery, index):
        api.include_router(family.routes, prefix="/v1", responses=answers(400, 413, 422, 429, 503))
    return api


@asynccontextmanager
async def loaded(api: FastAPI) -> AsyncIterator[None]:
    """Start loading the index and the network on startup; stop the decoder processes on shutdown."""
    found: Dependencies = api.state.dependencies
    threading.Thread(target=load, args=(found.engine, found.load_finished), daemon=True).start()
    yield
    await run_in_threadpool(found.engine.close)
