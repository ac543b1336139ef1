"""The command `compare-networks`: measure on a sample of a collection which network finds its pictures best."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from boxfind.commands.cancelled_by_signals import cancelled_by_signals
from boxfind.commands.options import AsJson, given_settings, note, notes, settings_with
from boxfind.progress_bar import TerminalProgress
from boxfind.settings import Settings
from retrieval.errors import BoxfindError, BuildCancelled, IndexProblem

if TYPE_CHECKING:
    from boxfind.evaluation.compare_networks import Network
    from boxfind.evaluation.dataset import Dataset
    from retrieval.types import Progress

STOPPED = "Stopped. The temporary indexes are deleted."
Names = Annotated[list[str], typer.Argument(help="Two networks or more, as for `boxfind build --backbone`.")]
On = Annotated[
    str | None,
    typer.Option("--on", help="A collection. Default: the data set's own pictures, or the first collection."),
]
Pictures = Annotated[int, typer.Option(min=10, help="Pictures in the sample; all if there are fewer.")]
Labelled = Annotated[
    Path | None, typer.Option(help="Folder of a labelled data set (docs/evaluation.md): adds mAP and P@10.")
]


def compare_networks(
    networks: Names, on: On = None, pictures: Pictures = 500, dataset: Labelled = None, as_json: AsJson = False
) -> None:
    """Compare networks on a sample of a collection: quality, speed and size of the index, by temporary indexes.

    Without labels, crops of the pictures, changed in size, angle, light and compression, have to find their own
    picture. Nothing of the collection is changed.
    """
    if len(networks) < 2:
        raise typer.BadParameter("name two networks or more.")
    try:
        with cancelled_by_signals() as cancellation, TerminalProgress(notes) as bar:

            def progress(stage: str, done: int, total: int) -> None:
                cancellation.check()
                bar(stage, done, total)

            settings, measured = _measure(networks, on, pictures, dataset, progress)
    except BuildCancelled:
        raise BoxfindError(STOPPED) from None
    _print(settings, measured, as_json)


def _measure(
    names: Sequence[str], on: str | None, pictures: int, dataset: Path | None, progress: "Progress"
) -> "tuple[Settings, list[Network]]":
    """The settings of the collection, and what was measured of each network."""
    from boxfind.evaluation.compare_networks import measure
    from boxfind.evaluation.dataset_formats import read_dataset
    from boxfind.evaluation.network_sample import choose_files, make_crops

    labelled = read_dataset(dataset) if dataset else None
    settings = _settings(on, labelled, progress)
    chosen = _available(names, settings, progress)
    files = choose_files(settings, pictures, labelled)
    crops = make_crops(files, settings.build.incomplete, progress)
    return settings, [measure(settings.changed(backbone=name), files, crops, labelled, progress) for name in chosen]


def _settings(on: str | None, labelled: "Dataset | None", progress: "Progress") -> Settings:
    """The settings of the collection. Raises CollectionsProblem."""
    if on is None and labelled and labelled.gallery.is_dir():
        return given_settings(gallery=labelled.gallery).changed(index=None)
    settings = settings_with(on)
    if settings.is_sample:
        from boxfind.samples.draw import draw_samples  # only a sample gallery needs it

        draw_samples(settings.sample_folder, progress)
    return settings


def _available(names: Sequence[str], settings: Settings, progress: "Progress") -> list[str]:
    """The names, if the weights of all are on this machine now. Raises UnknownName, WeightsMissing, RuntimeMissing."""
    from retrieval.networks.backbones import AUTO, choose_backbone

    chosen = [choose_backbone(name, settings.offline, progress)[0] for name in names]
    return [backbone.name if name == AUTO else name for name, backbone in zip(names, chosen, strict=True)]


def _print(settings: Settings, measured: "Sequence[Network]", as_json: bool) -> None:
    from boxfind.evaluation import network_report

    sentence = network_report.verdict(measured, lambda name: _switch(settings, name))
    if as_json:
        print(json.dumps({**network_report.as_dict(measured), "verdict": sentence}, ensure_ascii=False))
        return
    note(
        f"{measured[0].pictures:,} pictures of {settings.gallery_dir}, {len(measured[0].found['fast'].ranks)} crops of "
        "them (docs/evaluation.md)."
    )
    print(f"{network_report.as_text(measured)}\n\n{sentence}")


def _switch(settings: Settings, name: str) -> str:
    """How to index the collection with a network, unless it is."""
    from index.storage.generation import current_folder
    from index.storage.manifest import read_manifest
    from retrieval.networks.backbones import AUTO, is_chosen
    from retrieval.networks.network_names import full_name

    try:
        if read_manifest(current_folder(settings.index_dir)).recipe.backbone == full_name(name):
            return "The index of this collection uses it already."
    except IndexProblem:
        pass
    where = ["--gallery", str(settings.gallery_dir)] if settings.gallery else []
    if settings.collection:
        where = ["--collection", settings.collection]
    elif settings.index:
        where += ["--index", str(settings.index_dir)]
    build = ["boxfind", "build", *where]
    if settings.build.backbone == AUTO and is_chosen(name):
        command = shlex.join([*build, "--backbone", name])
        return f"To switch, run `{command}`, which reads all pictures again; later updates keep it."
    return (
        f"To switch, set BOXFIND_BACKBONE={name} for all commands and the page, and run `{shlex.join(build)}`, which "
        "reads all pictures again."
    )
