"""The commands `generations`, `rollback`, `backup` and `restore`, which manage the kept builds of an index."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.options import AsJson, CollectionName, IndexDir, notes, settings_with
from boxfind.progress_bar import TerminalProgress


def generations(
    index: IndexDir = None,
    collection: CollectionName = None,
    check: Annotated[bool, typer.Option("--check", help="Verify file contents, not only sizes.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the generations (builds) that are kept, and which one is served."""
    from index.operations.history import stored_generations

    folder = settings_with(collection, index=index).index_dir
    with TerminalProgress(notes) as progress:
        stored = stored_generations(folder, check, progress)
    if as_json:
        print(json.dumps([asdict(one) for one in stored], default=datetime.isoformat, indent=1))
        return
    print(f"  {'name':16s}  {'built (UTC)':16s}  {'pictures':>8s}  {'regions':>8s}  {'MB':>7s}  state")
    for one in stored:
        built = one.created.strftime("%Y-%m-%d %H:%M") if one.created else ""
        print(
            f"{'*' if one.served else ' '} {one.name:16s}  {built:16s}  {one.images:8d}  {one.regions:8d}  "
            f"{one.bytes / 1e6:7.1f}  {one.problem or 'intact'}{', served' if one.served else ''}"
            f"{f', not finished: {one.images:,} of {one.found:,} pictures' if one.found else ''}"
        )


def rollback(
    index: IndexDir = None,
    collection: CollectionName = None,
    to: Annotated[
        str, typer.Option(help="Name of a generation. Default: the newest intact generation before the served one.")
    ] = "",
) -> None:
    """Serve an earlier generation again."""
    from boxfind.maintenance import roll_back
    from index.storage.generation import served_name

    settings = settings_with(collection, index=index)
    before = served_name(settings.index_dir)
    with TerminalProgress(notes) as progress:
        folder = roll_back(settings, to, progress)
    print(f"Now serving {folder.name}.")
    if before and before != folder.name:
        print(f"To undo: boxfind rollback --index {settings.index_dir} --to {before}")


def backup(
    out: Annotated[Path, typer.Option(help="Tar file to write; it must not exist yet.")],
    index: IndexDir = None,
    collection: CollectionName = None,
) -> None:
    """Write the served generation to one tar file; builds and searches can continue meanwhile."""
    from index.operations.backup import backup as write_archive

    with TerminalProgress(notes) as progress:
        name = write_archive(settings_with(collection, index=index).index_dir, out, progress)
    print(f"Wrote {name} to {out} ({out.stat().st_size / 1e6:.1f} MB). Gallery pictures are not included.")


def restore(
    archive: Annotated[Path, typer.Argument(help="Tar file written by `boxfind backup`.")],
    index: IndexDir = None,
    collection: CollectionName = None,
) -> None:
    """Verify a backup and serve it; existing generations are kept."""
    from boxfind.stores import preparation, publisher_for
    from index.operations.backup import restore as read_archive

    settings = settings_with(collection, index=index)
    with TerminalProgress(notes) as progress:
        prepare = preparation(publisher_for(settings), progress)
        folder = read_archive(archive, settings.index_dir, progress, prepare)
    print(f"Restored {folder.name} from {archive}; it is now served.")
