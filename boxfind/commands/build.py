"""Building the index, and stopping a build."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.options import IndexDir, note, notes, settings_with
from boxfind.progress_bar import TerminalProgress
from retrieval.errors import BoxfindError

app = typer.Typer()


@app.command()
def build(
    gallery: Annotated[Path | None, typer.Option(help="Folder of pictures; without one a sample is drawn.")] = None,
    index: Annotated[Path | None, typer.Option(help="Folder of the index; without one, in the data folder.")] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="auto, or a network of docs/models.md: resnet50, efficientnet-lite0, …"),
    ] = None,
    regions: Annotated[
        str | None, typer.Option(help="whole,grid and, as wanted, detector, sam or proposals before the grid.")
    ] = None,
    pooling: Annotated[str | None, typer.Option(help="gap, gem, mac or rmac.")] = None,
    head: Annotated[Path | None, typer.Option(help="A head made by finetune, in place of a learned whitening.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Look at every picture again and learn the whitening anew.")
    ] = False,
    engine: Annotated[
        str | None, typer.Option(help="Where pictures are looked at: local, or ray (many machines; docs/ray.md).")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="The head of a Ray cluster, as host:port; --engine ray without it starts one here."),
    ] = None,
) -> None:
    """Bring the index up to date with its folder; what is served changes only when all is done."""
    with _cancelled_by_signals():
        from boxfind.engine import Engine
        from index.building import jobs
        from index.operations.history import served_name

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
        before = served_name(settings.index_dir)
        jobs.yield_to_others()
        began = time.perf_counter()
        with TerminalProgress(notes) as report:
            folder = Engine(settings).build(report, full, note)
    _report(folder, time.perf_counter() - began, folder.name != before)


@app.command()
def cancel(index: IndexDir) -> None:
    """Stop the build that is running, whoever started it; what it has done is kept for the next one."""
    from index.building.jobs import build_state, request_cancel

    state = build_state(index)
    if state is None or state.state != "running":
        raise BoxfindError(f"No build is running in {index}.")
    request_cancel(index)
    print(f"The build (process {state.pid}) will stop within seconds; the next build continues from there.")


def _report(folder: Path, seconds: float, is_new: bool) -> None:
    from index.storage.arrays import read_whitening
    from index.storage.generation import read_manifest, read_skipped
    from retrieval.printable_names import printable

    manifest = read_manifest(folder)
    for skipped in read_skipped(folder):
        note(f"Skipped {printable(skipped.file)}: {skipped.sentence}")
    if manifest.note:
        note(manifest.note)
    counts, changes = manifest.counts, manifest.changes
    print(
        f"Indexed {counts.images} pictures ({counts.regions} regions) with {manifest.recipe.backbone}, "
        f"{read_whitening(folder).kind} whitening, in {seconds:.0f} s; skipped {counts.skipped}."
    )
    if is_new:
        print(f"{changes.added + changes.changed} new or changed, {changes.kept} unchanged, {changes.removed} gone.")
    else:
        print("Nothing is new since the last build.")


@contextmanager
def _cancelled_by_signals() -> Iterator[None]:
    """Ctrl+C and a polite kill end the body like `cancel` does."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def cancel_once(*_: object) -> None:
        from index.building.jobs import cancel_this_build

        for number in numbers:
            signal.signal(number, signal.SIG_IGN)  # what tidies up must not be interrupted
        cancel_this_build()

    before = [signal.signal(number, cancel_once) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
