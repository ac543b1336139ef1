"""The commands `build` and `cancel`: build or update the index, and stop a build."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.options import GalleryOption, IndexDir, IndexOption, note, notes, settings_with
from boxfind.progress_bar import TerminalProgress
from boxfind.settings import Settings
from index.building.cancellation import Cancellation
from retrieval.errors import BoxfindError

LISTED = 50
"""Skipped files that are listed one by one."""
LIST_ALL = "`boxfind skipped` lists all."


Backbone = Annotated[
    str | None, typer.Option(help="auto, or a network from docs/models.md: resnet50, efficientnet-lite0, …")
]
Regions = Annotated[
    str | None,
    typer.Option(help="Comma-separated region sources: whole, proposals, grid, detector, sam; put grid last."),
]
Pooling = Annotated[str | None, typer.Option(help="Pooling: gap, gem, mac or rmac.")]
Head = Annotated[
    Path | None, typer.Option(help="Projection head made by `boxfind finetune`, instead of learned whitening.")
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
    backbone: Backbone = None,
    regions: Regions = None,
    pooling: Pooling = None,
    head: Head = None,
    full: Full = False,
    engine: ClusterEngine = None,
    address: Address = None,
) -> None:
    """Build the index, or update it to match its picture folder; searches use the old one until the build is done.

    Then what is written in new pictures is read, while they can be searched already.
    clip-rn50 uses average pooling without whitening and ignores --pooling and --head.
    """
    with _cancelled_by_signals() as cancellation:
        settings = settings_with(
            gallery=gallery,
            index=index,
            backbone=backbone,
            regions=regions,
            pooling=pooling,
            head=head,
            engine=engine or ("ray" if address else None),
            ray_address=address,
        )
        _build(settings, full, cancellation)
    with _cancelled_by_signals() as cancellation:
        _read_text(settings, cancellation)


def cancel(index: IndexDir) -> None:
    """Stop the running build, or the reading of text in pictures that follows it, and wait until it has ended.

    What was done is kept, and the next build continues from there.
    """
    from index.building.jobs import build_state, request_cancel
    from index.building.read_text import STOPPED, is_reading, stop_reading

    asked = state = request_cancel(index)
    if asked is None and stop_reading(index):
        while is_reading(index):
            time.sleep(0.1)
        print(STOPPED)
        return
    if asked is None:
        raise BoxfindError(f"No build is running in {index}.")
    note("Cancelling…")
    while state is not None and state.id == asked.id and state.state == "running":
        time.sleep(0.1)
        state = build_state(index)
    if state is None or state.id != asked.id:
        raise BoxfindError("The build has ended, and another one was started.")
    if state.state == "done":
        raise BoxfindError("The build was finished before it could be cancelled; its index is served.")
    if state.state == "failed":
        raise BoxfindError(f"The build has failed: {state.message}")
    print(state.message)


def _build(settings: Settings, full: bool, cancellation: Cancellation) -> None:
    """Build in this process, and print the outcome."""
    from boxfind.engine import Engine
    from index.building import jobs
    from index.storage.generation import served_name

    before = served_name(settings.index_dir)
    jobs.yield_to_others()
    began = time.perf_counter()
    with TerminalProgress(notes) as report:
        folder = Engine(settings).builds.build(report, full, note, cancellation)
    _report(folder, time.perf_counter() - began, folder.name != before)


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


@contextmanager
def _cancelled_by_signals() -> Iterator[Cancellation]:
    """Treat SIGINT and SIGTERM like the command `cancel` while the body runs."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    cancellation = Cancellation()

    def cancel_once(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)  # cleanup must not be interrupted
        cancellation.request()

    before = [signal.signal(number, cancel_once) for number in numbers]
    try:
        yield cancellation
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
