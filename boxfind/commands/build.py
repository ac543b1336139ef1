"""The commands `build` and `cancel`: build or update the index, and stop a build."""

import time
from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.cancelled_by_signals import cancelled_by_signals
from boxfind.commands.options import CollectionName, GalleryOption, IndexDir, IndexOption, note, notes, settings_with
from boxfind.progress_bar import TerminalProgress
from boxfind.settings import Settings
from boxfind.settings_schema import QUICK
from index.building.cancellation import Cancellation
from retrieval.errors import BoxfindError

LIST = "list"
"""In place of a backbone: print the recommended ones, and build nothing."""
LISTED = 50
"""Skipped files that are listed one by one."""
LIST_ALL = "`boxfind skipped` lists all."


Backbone = Annotated[
    str | None,
    typer.Option(help="auto, a network (resnet50, timm:MODEL, open_clip:MODEL/PRETRAINED, …), or list to see some."),
]
Regions = Annotated[
    str | None,
    typer.Option(help="Comma-separated region sources: whole, proposals, grid, detector, sam; put grid last."),
]
Pooling = Annotated[str | None, typer.Option(help="Pooling: gap, gem, mac or rmac.")]
Head = Annotated[
    Path | None, typer.Option(help="Projection head made by `boxfind finetune`, instead of learned whitening.")
]
Quick = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="Build in about half the time and with less quality: smaller pictures, no keypoints (docs/quality.md).",
    ),
]
Full = Annotated[
    bool, typer.Option("--full", help="Rebuild from scratch: process every picture and relearn the whitening.")
]
ClusterEngine = Annotated[
    str | None, typer.Option(help="Where pictures are processed: local, or ray (a Ray cluster; docs/ray.md).")
]
Address = Annotated[
    str | None,
    typer.Option(help="Head node of a Ray cluster as host:port. Without it, --engine ray uses this machine only."),
]


def build(
    gallery: GalleryOption = None,
    index: IndexOption = None,
    collection: CollectionName = None,
    backbone: Backbone = None,
    regions: Regions = None,
    pooling: Pooling = None,
    head: Head = None,
    quick: Quick = False,
    full: Full = False,
    engine: ClusterEngine = None,
    address: Address = None,
) -> None:
    """Build the index, or update it to match its picture folder; it is searched while it grows.

    Then what is written in new pictures is read, while they can be searched already.
    Networks of open_clip use average pooling without whitening and ignore --pooling and --head.
    """
    if backbone == LIST:
        _print_choices()
        return
    with cancelled_by_signals() as cancellation:
        settings = settings_with(
            collection,
            gallery=gallery,
            index=index,
            backbone=backbone,
            regions=regions,
            pooling=pooling,
            head=head,
            engine=engine or ("ray" if address else None),
            ray_address=address,
            **(QUICK if quick else {}),
        )
        settings = _follow_moved(settings)
        _build(settings, full, cancellation)
    with cancelled_by_signals() as cancellation:
        _read_text(settings, cancellation)


def _print_choices() -> None:
    from retrieval.networks.recommended_networks import described_choices

    print("\n".join(described_choices()))


def cancel(index: IndexDir = None, collection: CollectionName = None) -> None:
    """Stop the running build, or the reading of text in pictures that follows it, and wait until it has ended.

    What was done is kept, and the next build continues from there.
    """
    from index.building.jobs import build_state, request_cancel
    from index.building.read_text import STOPPED, is_reading, stop_reading

    folder = settings_with(collection, index=index).index_dir
    asked = state = request_cancel(folder)
    if asked is None and stop_reading(folder):
        while is_reading(folder):
            time.sleep(0.1)
        print(STOPPED)
        return
    if asked is None:
        raise BoxfindError(f"No build is running in {folder}.")
    note("Cancelling…")
    while state is not None and state.id == asked.id and state.state == "running":
        time.sleep(0.1)
        state = build_state(folder)
    if state is None or state.id != asked.id:
        raise BoxfindError("The build has ended, and another one was started.")
    if state.state == "done":
        raise BoxfindError("The build was finished before it could be cancelled; its index is served.")
    if state.state == "failed":
        raise BoxfindError(f"The build has failed: {state.message}")
    print(state.message)


def _follow_moved(settings: Settings) -> Settings:
    """The settings with the index of the gallery, which may be that of another folder until now; a note says so."""
    from boxfind.moved_folder import follow

    old = None if settings.is_sample or settings.index else follow(settings, settings.gallery_dir)
    if old is None:
        return settings
    note(f"These are the pictures of {old}, which is gone: its index is used, and nothing is read again.")
    return settings.changed()


def _build(settings: Settings, full: bool, cancellation: Cancellation) -> None:
    """Build in this process, and print the outcome."""
    from boxfind.engine import Engine
    from index.building import jobs
    from index.storage.generation import served_name

    before = served_name(settings.index_dir)
    jobs.yield_to_others()
    began = time.perf_counter()
    with TerminalProgress(notes) as report:
        folder = Engine(settings).builds.build(report, full, note, cancellation, _note_searchable)
    _report(folder, time.perf_counter() - began, folder.name != before)


def _note_searchable(searchable: int, found: int) -> None:
    note(f"{searchable:,} of {found:,} pictures can be searched.")


def _read_text(settings: Settings, cancellation: Cancellation) -> None:
    """Read what is written in new pictures, and print how many were read."""
    from boxfind.engine import Engine

    with TerminalProgress(notes) as report:
        read = Engine(settings).builds.read_text(report, cancellation)
    if read:
        print(f"Read what is written in {read} {'picture' if read == 1 else 'pictures'}.")


def _report(folder: Path, seconds: float, is_new: bool) -> None:
    from index.storage.arrays import read_whitening
    from index.storage.manifest import read_manifest
    from index.storage.skipped_files import missing_packages, read_skipped, unread_formats
    from retrieval.images.file_kinds import UNREAD
    from retrieval.printable_names import printable

    manifest, skipped = read_manifest(folder), read_skipped(folder)
    unread = unread_formats(skipped)
    others = [file for file in skipped if file.reason != UNREAD]
    for file in others[:LISTED]:
        note(f"Skipped {printable(file.file)}: {file.sentence}")
    if len(others) > LISTED:
        more = len(others) - LISTED
        note(f"Skipped {more:,} more {'file' if more == 1 else 'files'}. {LIST_ALL}")
    if unread:
        note(f"Skipped pictures in formats that Boxfind cannot read yet: {unread}. Convert them to JPEG. {LIST_ALL}")
    for sentence in filter(None, (*missing_packages(skipped), manifest.left_out, manifest.note)):
        note(sentence)
    counts, changes = manifest.counts, manifest.changes
    print(
        f"Indexed {counts.images} {'picture' if counts.images == 1 else 'pictures'} ({counts.regions} regions) with "
        f"{manifest.recipe.backbone}, {read_whitening(folder).kind} whitening, in {seconds:.0f} s; "
        f"skipped {counts.skipped}."
    )
    if is_new:
        reread = f" ({changes.reread} read again)" if changes.reread else ""
        new = changes.added + changes.changed
        print(f"{new} new or changed, {changes.kept} unchanged{reread}, {changes.removed} removed.")
    else:
        print("The index is already up to date.")
