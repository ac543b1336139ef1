"""The commands `verify`, `why`, `skipped` and `doctor`: diagnose an index, a picture or the installation."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.options import AsJson, CollectionName, IndexDir, note, notes, settings_with
from boxfind.progress_bar import TerminalProgress
from boxfind.settings import Settings
from retrieval.errors import BoxfindError


def verify(index: IndexDir = None, collection: CollectionName = None) -> None:
    """Check all files of an index, and compare it with its picture folder."""
    from boxfind.maintenance import check_index

    with TerminalProgress(notes) as report:
        found = check_index(settings_with(collection, index=index), report)
    for remark in found.remarks:
        note(remark)
    if found.faults:
        raise BoxfindError("\n".join(found.faults))
    print("No problems found.")


def why(
    image: Annotated[str, typer.Argument(help="The name of a picture in the index, or the path of a file.")],
    index: IndexDir = None,
    collection: CollectionName = None,
    text: Annotated[str | None, typer.Option(help="Also say which words of this text query are written in it.")] = None,
    query: Annotated[
        Path | None, typer.Option(help="Also say which words on this query picture are written in it.")
    ] = None,
    box: Annotated[
        str | None, typer.Option(help="X,Y,W,H in pixels of the upright query picture. Default: all of it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain why a picture can or cannot be found, and what is written in it."""
    from boxfind.maintenance import explain_picture

    if box and query is None:
        raise typer.BadParameter("--box needs --query, the picture that it is drawn on.")
    settings = settings_with(collection, index=index)
    explanation = explain_picture(settings, image, sought=_query_words(settings, text, query, box))
    if as_json:
        regions = [{"kind": region.kind, "box": region.box.xywh} for region in explanation.regions]
        written = [{"text": line.text, "box": line.box.xywh} for line in explanation.written]
        told = {**asdict(explanation), "regions": regions, "written": written}
        print(json.dumps(told, ensure_ascii=False))
        return
    print("\n".join(explanation.sentences))
    if explanation.verdict == "indexed":
        print("`boxfind search` lists every picture with --top 0.")


def _query_words(settings: Settings, text: str | None, query: Path | None, box: str | None) -> list[str]:
    if text is None and query is None:
        return []
    from boxfind.query_words import words_of_picture, words_of_text

    written = words_of_picture(settings, query, box) if query else []
    if query and not written:
        note("No words could be read on the query picture.")
    return [*dict.fromkeys([*(words_of_text(text) if text else []), *written])]


def skipped(
    index: IndexDir = None,
    collection: CollectionName = None,
    table: Annotated[Path | None, typer.Option("--csv", help="CSV file to write: file,reason,sentence,bytes.")] = None,
) -> None:
    """List the files that the build skipped, and why."""
    from index.storage.generation import current_folder
    from index.storage.manifest import read_manifest
    from index.storage.skipped_files import read_skipped, skipped_csv
    from retrieval.printable_names import printable

    folder = current_folder(settings_with(collection, index=index).index_dir)
    read_manifest(folder)  # rejects an unsupported format version
    files = read_skipped(folder)
    if table:
        table.write_text(skipped_csv(files), encoding="utf-8-sig", newline="")
    for file in files:
        print(f"{file.reason:14s}  {printable(file.file)}  {file.sentence}")
    if not files:
        print("No files were skipped.")


def doctor(collection: CollectionName = None, as_json: AsJson = False) -> None:
    """Print versions, device, weights and the state of the index."""
    from boxfind.doctor import examine

    findings = asdict(examine(settings_with(collection)))
    if as_json:
        print(json.dumps(findings, indent=1))
        return
    for name, value in findings.items():
        for part, text in value.items() if isinstance(value, dict) else [("", value)]:
            print(f"{name:12s} {part:26s} {text}" if part else f"{name:12s} {text}")
