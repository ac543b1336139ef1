"""Dependencies of the routes: the engine, search slots and the loading state."""

import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from boxfind.api.limits import SearchSlots
from boxfind.api.problems import NotReady, sentence_for
from boxfind.engine import Engine
from boxfind.logs import log
from index.gallery import Gallery
from retrieval.errors import BoxfindError, IndexProblem

NO_INDEX = "The server has no usable index; see its log for the reason."


class Loading:
    """Open the index and load the network in the background, before the first search."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._done = threading.Event()

    def begin(self) -> None:
        """Start loading in a background thread."""
        threading.Thread(target=self._load, daemon=True).start()

    def wait(self) -> None:
        """Wait until loading has succeeded or failed."""
        self._done.wait()

    @property
    def going_on(self) -> bool:
        return not self._done.is_set()

    def _load(self) -> None:
        try:
            self._engine.embedder(self._engine.gallery().manifest.recipe)
        except BoxfindError as problem:
            log.warning("The index cannot be searched yet: %s", problem)
        finally:
            self._done.set()


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The shared state of the API; one instance per application."""

    engine: Engine
    turns: SearchSlots
    loading: Loading

    def gallery(self) -> Gallery:
        """Return the served gallery. Raises IndexProblem with a public message; the details are logged."""
        try:
            return self.engine.gallery()
        except IndexProblem as problem:
            log.error("The index cannot be searched: %s", problem)
            raise IndexProblem(NO_INDEX) from None

    def check(self) -> None:
        """Raise NotReady unless searches can be answered now."""
        if self.loading.going_on:
            raise NotReady("The index and the network are loading; try again in a few seconds.")
        try:
            self.engine.embedder(self.gallery().manifest.recipe)
        except BoxfindError as problem:
            raise NotReady(sentence_for(problem)) from None
        away = self.engine.store_away()
        if away and not self.engine.settings.milvus.fallback:
            raise NotReady(away)


async def dependencies(request: Request) -> Dependencies:
    found: Dependencies = request.app.state.dependencies
    return found


Serving = Annotated[Dependencies, Depends(dependencies)]


async def _in_turn(serving: Serving) -> AsyncIterator[None]:
    async with serving.turns.turn():
        yield


InTurn = Depends(_in_turn, scope="function")
"""Dependency for routes that compute or decode: hold a search slot until the response is ready to send."""
