"""What every request works with: the engine, the places for searches, and whether all is loaded."""

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

NO_INDEX = "There is no index that can be searched now; the log of this program says why."


class Loading:
    """Opens the index and loads the network before the first search needs them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._done = threading.Event()

    def begin(self) -> None:
        """Does so beside everything else."""
        threading.Thread(target=self._load, daemon=True).start()

    def wait(self) -> None:
        """Until that is done, well or badly."""
        self._done.wait()

    @property
    def going_on(self) -> bool:
        return not self._done.is_set()

    def _load(self) -> None:
        try:
            self._engine.embedder(self._engine.gallery().manifest.recipe)
        except BoxfindError as problem:
            log.warning("Nothing can be searched yet: %s", problem)
        finally:
            self._done.set()


@dataclass(frozen=True, slots=True)
class Dependencies:
    """One for the whole API."""

    engine: Engine
    turns: SearchSlots
    loading: Loading

    def gallery(self) -> Gallery:
        """What is served. Raises IndexProblem in words for whoever asks; the log has those for the operator."""
        try:
            return self.engine.gallery()
        except IndexProblem as problem:
            log.error("Nothing can be searched: %s", problem)
            raise IndexProblem(NO_INDEX) from None

    def check(self) -> None:
        """Raises NotReady unless a search could be answered at once."""
        if self.loading.going_on:
            raise NotReady("The index and the network are being loaded; ask again in a few seconds.")
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
"""For what computes or decodes: it waits for a place, and gives it back before the answer is sent."""
