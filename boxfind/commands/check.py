"""The commands `verify`, `why`, `skipped` and `doctor`: diagnose an index, a picture or the installation."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.options import AsJson, IndexDir, note, notes, settings_with
from boxfind.progress_bar import TerminalProgress
from retrieval.errors import BoxfindError


def verify(index: IndexDir) -> None:
    """Check all files of an index, and compare it with its picture folder."""
    from boxfind.maintenance import check_index

    with TerminalProgress(notes) as report:
        found = check_index(settings_with(index=index), report)
    for remark in found.remarks:
        note(remark)
    if found.faults:
        raise BoxfindError("\n".join(found.faults))
    print("No problems found.")


def why(
    image: Annotated[str, typer.Argument(help="The name of a picture in the index, or the path of a file.")],
    index: IndexDir,
    as_json: AsJson = False,
) -> None:
    """Explain why a picture can or cannot be found."""
    from boxfind.maintenance import explain_picture

    explanation = explain_picture(settings_with(index=index), image)
    if as_json:
        regions = [{"kind": region.kind, "box": region.box.xywh} for region in explanation.regions]
        print(json.dumps({**asdict(explanation), "regions": regions}, ensure_ascii=False))
        return
    print("\n".join(explanation.sentences))
    if explanation.verdict == "indexed":
        print("`boxfind search` lists every picture with --top 0.")


def skipped(
    index: IndexDir,
    table: Annotated[Path | None, typer.Option("--csv", help="CSV file to write: file,reason,sentence,bytes.")] = None,
) -> None:
    """List the files that the build skipped, and why."""
    from index.storage.generation import current_folder
    from index.storage.manifest import read_manifest
    from index.storage.skipped_files import read_skipped, skipped_csv
    from retrieval.printable_names import printable

    folder = current_folder(index)
    read_manifest(folder)  # rejects an unsupported format version
    files = read_skipped(folder)
    if table:
        table.write_text(skipped_csv(files), encoding="utf-8-sig", newline="")
    for file in files:
        print(f"{file.reason:14s}  {printable(file.file)}  {file.sentence}")
    if not files:
        print("No files were skipped.")


def doctor(as_json: AsJson = False) -> None:
    """Print versions, device, weights and the state of the index."""
    from boxfind.doctor import examine

    findings = asdict(examine(settings_with()))
    if as_json:
        print(json.dumps(findings, indent=1))
        return
    for name, value in findings.items():
        for part, text in value.items() if isinstance(value, dict) else [("", value)]:
            print(f"{name:12s} {part:26s} {text}" if part else f"{name:12s} {text}")
