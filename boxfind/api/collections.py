"""Routes for collections: list, add and remove."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from fastapi import Path as Named

from boxfind.api.authorization import Admin, ByAdmin
from boxfind.api.dependencies import App, public_problems
from boxfind.api.requests import NewCollection
from boxfind.api.responses import Collection, answers
from boxfind.collection_table import LONGEST_NAME
from boxfind.collection_table import Collection as TableCollection
from boxfind.engines import Engines
from boxfind.logs import log
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from retrieval.errors import IndexProblem

routes = APIRouter(prefix="/collections", tags=["collections"])


@routes.get("", openapi_extra={"security": [{}]})  # the token is optional
def collections(app: App, by_admin: ByAdmin) -> list[Collection]:
    """List the collections. Only administrators see their folders."""
    with public_problems():
        app.engines.collections.table.read()  # tells if it is damaged
        return [_told(app.engines, collection, by_admin) for collection in app.engines.collections.all()]


@routes.post("", status_code=201, dependencies=[Admin], responses=answers(401, 403))
def add_collection(asked: NewCollection, app: App) -> Collection:
    """Add folders of the server as a collection. Nothing is read until a build of it is started."""
    folders = [Path(folder) for folder in asked.folders]
    if not all(folder.is_absolute() for folder in folders):
        raise HTTPException(422, "Write the full path of every folder.")
    with public_problems():
        added = app.engines.collections.table.add(asked.name, folders, asked.excluded)
    log.info("Collection added through the API.")
    return _told(app.engines, added, by_admin=True)


@routes.delete("/{name}", dependencies=[Admin], responses=answers(401, 403, 404, 409))
def remove_collection(
    name: Annotated[str, Named(max_length=LONGEST_NAME, examples=["Holidays"])],
    app: App,
    index: Annotated[bool, Query(description="Also delete its index. Pictures are never deleted.")] = False,
) -> Collection:
    """Take a collection out of the list. Its pictures stay, and its index, too, unless asked otherwise."""
    with public_problems():
        told = _told(app.engines, app.engines.collections.find(name), by_admin=True)
        app.engines.remove(name, with_index=index)
    log.info("Collection removed through the API%s.", ", with its index" if index else "")
    return told


def _told(engines: Engines, collection: TableCollection, by_admin: bool) -> Collection:
    pictures = None
    with suppress(IndexProblem):
        pictures = read_manifest(current_folder(engines.of(collection).settings.index_dir)).counts.images
    return Collection(
        name=collection.name,
        pictures=pictures,
        folders=[str(folder) for folder in collection.folders] if by_admin else [],
        excluded=[*collection.excluded] if by_admin else [],
    )
