"""Dependencies of the routes: the collection, the engine, turns, the client and the loading state."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Query, Request

from boxfind.api.limits import RateLimiter
from boxfind.collection_table import ALL, LONGEST_NAME, UnreadableTable, UnwritableTable, same_name
from boxfind.engine import Engine
from boxfind.engines import Engines
from boxfind.fair_turns import client_of
from boxfind.logs import log
from index.gallery import Gallery
from retrieval.errors import BoxfindError, IndexProblem

NO_INDEX = "The server has no usable index; see its log for the reason."
UNWRITABLE = "The server cannot write its list of collections; see its log for the reason."
PROBLEM = "The server cannot read its list of collections; see its log for the reason."


def load(engines: Engines, finished: threading.Event) -> None:
    """Open the first index and load the networks before the first search, then set `finished`."""
    try:
        engine = engines.get()
        engine.networks.load(engine.gallery())
    except BoxfindError as problem:
        log.warning("The index cannot be searched yet: %s", problem)
    finally:
        finished.set()


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The shared state of the API; one instance per application."""

    engines: Engines
    rate_limiter: RateLimiter
    load_finished: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class ServedCollection:
    """The collection that a request is about; `everywhere`: it is about all, and this is the first one."""

    name: str
    engine: Engine
    engines: Engines
    everywhere: bool = False

    def gallery(self) -> Gallery:
        """Return the served gallery. Raises IndexProblem with a public message; the details are logged."""
        with public_problems():
            return self.engine.gallery()


async def dependencies(request: Request) -> Dependencies:
    found: Dependencies = request.app.state.dependencies
    return found


App = Annotated[Dependencies, Depends(dependencies)]


def served(app: Dependencies, name: str) -> ServedCollection:
    """Return a collection; without a name, the first one. Raises UnknownCollection, CollectionsProblem."""
    with public_problems():
        collection = app.engines.collections.find(name)
    return ServedCollection(collection.name, app.engines.of(collection), app.engines)


def _one(
    app: App,
    collection: Annotated[
        str, Query(max_length=LONGEST_NAME, description="The name of a collection. Default: the first one.")
    ] = "",
) -> ServedCollection:
    return served(app, collection)


def _one_or_all(
    app: App,
    collection: Annotated[
        str,
        Query(max_length=LONGEST_NAME, description="The name of a collection, or `all`. Default: the first one."),
    ] = "",
) -> ServedCollection:
    everywhere = same_name(collection, ALL)
    return replace(served(app, "" if everywhere else collection), everywhere=everywhere)


Serving = Annotated[ServedCollection, Depends(_one)]
ServingAny = Annotated[ServedCollection, Depends(_one_or_all)]


@contextmanager
def public_problems() -> Iterator[None]:
    """Log what is wrong with the table of collections or an index, which names a folder, and raise a public message."""
    try:
        yield
    except UnreadableTable as problem:
        log.error("%s", problem)
        raise UnreadableTable(PROBLEM) from None
    except UnwritableTable as problem:
        log.error("%s", problem)
        raise UnwritableTable(UNWRITABLE) from None
    except IndexProblem as problem:
        log.error("The index cannot be searched: %s", problem)
        raise IndexProblem(NO_INDEX) from None


async def _client(request: Request) -> str:
    return client_of(request.client.host if request.client else None)


Client = Annotated[str, Depends(_client)]
"""Who sent the request, for fair turns."""
