"""Dependencies of the routes: the engine, search slots and the loading state."""

import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from boxfind.api.limits import SearchSlots
from boxfind.engine import Engine
from boxfind.logs import log
from index.gallery import Gallery
from retrieval.errors import BoxfindError, IndexProblem

NO_INDEX = "The server has no usable index; see its log for the reason."


def load(engine: Engine, finished: threading.Event) -> None:
    """Open the index and load its network before the first search, then set `finished`."""
    try:
        engine.embedder(engine.gallery().manifest.recipe)
    except BoxfindError as problem:
        log.warning("The index cannot be searched yet: %s", problem)
    finally:
        finished.set()


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The shared state of the API; one instance per application."""

    engine: Engine
    slots: SearchSlots
    load_finished: threading.Event

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


async def _search_slot(serving: Serving) -> AsyncIterator[None]:
    async with serving.slots.hold():
        yield


SearchSlot = Depends(_search_slot, scope="function")
"""Dependency for routes that compute or decode: hold a search slot until the response is ready to send."""
