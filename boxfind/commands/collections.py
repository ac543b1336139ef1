"""The commands `collections` and `collections add`, `rename`, `move`, `remove`: galleries, each with its own index."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from boxfind.commands.options import AsJson, given_settings, note

if TYPE_CHECKING:
    from boxfind.collection_table import Collection
    from boxfind.engines import Engines

collections = typer.Typer(
    invoke_without_command=True, help="List the collections; `collections add` and others change them."
)
Name = Annotated[str, typer.Argument(help="The name of a collection; upper and lower case are the same.")]


@dataclass(frozen=True, slots=True)
class _Listed:
    """What is told of a collection; `pictures` is None while it has no index."""

    name: str
    pictures: int | None
    folders: list[str]
    excluded: list[str]
    index: str


@collections.callback(invoke_without_command=True)
def list_collections(context: typer.Context, as_json: AsJson = False) -> None:
    """List the collections: name, number of indexed pictures and folders. The first one is the default."""
    if context.invoked_subcommand:
        return
    from retrieval.printable_names import printable

    engines = _engines()
    engines.collections.table.read()  # tells if it is damaged
    listed = [_listed(engines, collection) for collection in engines.collections.all()]
    if as_json:
        print(json.dumps([asdict(one) for one in listed], ensure_ascii=False, indent=1))
        return
    width = max(len(printable(one.name)) for one in listed)
    for one in listed:
        pictures = "no index" if one.pictures is None else f"{one.pictures:,} picture{'' if one.pictures == 1 else 's'}"
        excluded = f"  without {', '.join(one.excluded)}" if one.excluded else ""
        print(f"{printable(one.name):{width}s}  {pictures:>16s}  {printable(', '.join(one.folders))}{excluded}")


@collections.command()
def add(
    name: Annotated[str, typer.Argument(help="A new name.")],
    folders: Annotated[list[Path], typer.Argument(parser=Path, help="Picture folders, which are searched together.")],
    exclude: Annotated[
        list[str] | None, typer.Option(help="Gitignore pattern of files and folders to leave out; may be repeated.")
    ] = None,
) -> None:
    """Add a collection. Nothing is read yet: `boxfind build --collection NAME` makes its index."""
    collection = _engines().collections.table.add(name, folders, exclude or [])
    print(f"Added {collection.name}: {', '.join(map(str, collection.folders))}.")
    note(f'To make its index: boxfind build --collection "{collection.name}"')


@collections.command()
def remove(
    name: Name,
    index: Annotated[bool, typer.Option("--index", help="Also delete its index. Pictures are never deleted.")] = False,
) -> None:
    """Take a collection out of the list. Its pictures stay, and its index, too, unless --index is given."""
    engines = _engines()
    folder = engines.get(name).settings.index_dir
    removed = engines.remove(name, with_index=index)
    print(f"Removed {removed.name}. {'Its index was deleted.' if index else f'Its index is still in {folder}.'}")


@collections.command()
def rename(old: Name, new: Annotated[str, typer.Argument(help="Its new name.")]) -> None:
    """Give a collection another name. Its index, albums and saved searches stay."""
    print(f"{old} is now called {_engines().collections.table.rename(old, new).name}.")


@collections.command()
def move(name: Name, folder: Annotated[Path, typer.Argument(parser=Path, help="Where its pictures are now.")]) -> None:
    """Say where a folder of a collection is that was moved or renamed. Its pictures are not described again."""
    from boxfind.collection_table import CollectionsProblem
    from boxfind.settings_schema import resolved

    engines = _engines()
    collection = engines.collections.find(name)
    if collection not in engines.collections.table.read():
        raise CollectionsProblem(f"{name} is not in the list; for a gallery, run `boxfind build --gallery NEW`.")
    place = resolved(folder)
    moved = engines.follow(collection, place)
    print(f"The pictures of {collection.name} are now in {place}; its index is used there.")
    if place in moved.folders[1:]:
        note(f'To open them there: boxfind build --collection "{collection.name}"')


def _engines() -> "Engines":
    from boxfind.engines import Engines

    return Engines(given_settings())


def _listed(engines: "Engines", collection: "Collection") -> _Listed:
    from index.storage.generation import current_folder
    from index.storage.manifest import read_manifest
    from retrieval.errors import IndexProblem

    index = engines.of(collection).settings.index_dir
    try:
        pictures = read_manifest(current_folder(index)).counts.images
    except IndexProblem:
        pictures = None
    folders = [str(folder) for folder in collection.folders] or ["the sample gallery"]
    return _Listed(collection.name, pictures, folders, [*collection.excluded], str(index))
