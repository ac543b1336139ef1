"""The API as a whole: its addresses, and what stands round all of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from boxfind.api import gallery, health, index
from boxfind.api import search as searching
from boxfind.api.dependencies import Dependencies, Loading
from boxfind.api.limits import Limits, Rate, SearchSlots
from boxfind.api.problems import Faults, tell, tell_invalid
from boxfind.api.schemas import answers
from boxfind.engine import Engine
from retrieval.errors import BoxfindError

ABOUT = (
    "Send a picture with a box round an object; get the pictures of the gallery that hold that object. Boxes are x, y, "
    'width and height in pixels of the upright picture. Whatever goes wrong is told as `{"detail": sentence}`.'
)


def make_api(engine: Engine) -> FastAPI:
    """An API over an engine, which others may use at the same time. It loads the index when it starts."""
    settings = engine.settings
    api = FastAPI(
        title="Boxfind",
        version="1",
        description=ABOUT,
        docs_url=None,  # FastAPI's own page would load its scripts from the network
        redoc_url=None,
        lifespan=loaded,
        responses=answers(500),
        middleware=[
            Middleware(Faults),
            Middleware(TrustedHostMiddleware, allowed_hosts=settings.api.hosts, www_redirect=False),
            Middleware(Limits, rate=Rate(settings.api.rate)),
        ],
        exception_handlers={BoxfindError: tell, RequestValidationError: tell_invalid},
    )
    api.state.dependencies = Dependencies(engine, SearchSlots(settings.api.searches), Loading(engine))
    api.include_router(health.routes)
    for family in (searching, gallery, index):
        api.include_router(family.routes, prefix="/v1", responses=answers(400, 413, 422, 429, 503))
    return api


@asynccontextmanager
async def loaded(api: FastAPI) -> AsyncIterator[None]:
    """Begins to load index and network; at the end the processes end that decode pictures."""
    found: Dependencies = api.state.dependencies
    found.loading.begin()
    yield
    await run_in_threadpool(found.engine.close)
