"""Dependencies of the routes: the engine, turns, the client and the loading state."""

import threading
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from boxfind.api.limits import RateLimiter
from boxfind.engine import Engine
from boxfind.fair_turns import client_of
from boxfind.logs import log
from index.gallery import Gallery
from retrieval.errors import BoxfindError, IndexProblem

NO_INDEX = "The server has no usable index; see its log for the reason."


def load(engine: Engine, finished: threading.Event) -> None:
    """Open the index and load the networks before the first search, then set `finished`."""
    try:
        engine.networks.load(engine.gallery())
    except BoxfindError as problem:
        log.warning("The index cannot be searched yet: %s", problem)
    finally:
        finished.set()


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The shared state of the API; one instance per application."""

    engine: Engine
    rate_limiter: RateLimiter
    load_finished: threading.Event = field(default_factory=threading.Event)

    def gallery(self) -> Gallery:
        """Return the served gallery. Raises IndexProblem with a public message; the details are logged."""
        try:
            return self.engine.gallery()
        except IndexProblem as problem:
            log.error("The index cannot be searched: %s", problem)
            raise IndexProblem(NO_INDEX) from None


async def dependencies(request: Request) -> Dependencies:
    found: Dependencies = request.app.state.dependencies
    return found


Serving = Annotated[Dependencies, Depends(dependencies)]


async def _client(request: Request) -> str:
    return client_of(request.client.host if request.client else None)


Client = Annotated[str, Depends(_client)]
"""Who sent the request, for fair turns."""
