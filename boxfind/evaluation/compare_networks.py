"""Compare networks on a sample of a collection: quality without labels or with them, speed, and size of the index."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from boxfind.embedders import embedder_for_building
from boxfind.engine import Engine
from boxfind.evaluation.dataset import Dataset
from boxfind.evaluation.evaluate import Evaluation, evaluate
from boxfind.evaluation.network_sample import Crop
from boxfind.executors import start_here
from boxfind.settings import Settings
from index.building.build import BuildOptions, build
from index.gallery import Gallery
from index.storage.folder_scan import Scan, ScannedFile
from retrieval.images.places import split_id
from retrieval.types import Box, Progress

RANKINGS = ("fast", "best")
TOP = 10
"""Number of hits that are looked at; a picture that is not among them counts as not found."""
NO_PICTURE = -1


@dataclass(frozen=True, slots=True)
class Found:
    """The hits of Q crops with one ranking, and how long each search took."""

    hits: NDArray[np.int64]
    """(Q, TOP) numbers of pictures in the sample, best first; NO_PICTURE where there are fewer."""
    ranks: NDArray[np.int64]
    """(Q,) rank of the picture that a crop is cut from; 0 if it is not among the hits."""
    seconds: NDArray[np.float64]
    """(Q,)"""


@dataclass(frozen=True, slots=True)
class Network:
    """What was measured of one network; `found` and `evaluations` by ranking."""

    name: str
    pictures: int
    pictures_a_second: float
    vector_bytes: float
    """Bytes of vectors for each picture."""
    found: Mapping[str, Found]
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)


def measure(
    settings: Settings, files: Sequence[ScannedFile], crops: Sequence[Crop], dataset: Dataset | None, progress: Progress
) -> Network:
    """Index the files with the network of the settings in a temporary folder, search for all crops, and delete it.

    Text in pictures is not read, and a projection head is not used. Raises WeightsMissing, RuntimeMissing, DiskFull,
    GalleryProblem and BadDataset, and whatever `progress` raises.
    """
    name = settings.build.backbone

    def named(stage: str, done: int, total: int) -> None:
        progress(f"{name}: {stage}", done, total)

    with TemporaryDirectory(prefix="boxfind-compare-") as folder:  # deleted when nothing has its files open any more
        alone = settings.changed(index=Path(folder), store="auto", engine="local", head=None, text=False)
        return _measured(Engine(alone), files, crops, dataset, named)


def ranks_of(hits: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rank of the own picture (Q,) among the hits (Q, K) of each crop -> (Q,), from 1; 0 if it is not there."""
    same = hits == own[:, None]
    return np.asarray(np.where(same.any(axis=1), same.argmax(axis=1) + 1, 0))


def shared_hits(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many pictures two networks share among the hits (Q, K) of each crop -> (Q,). NO_PICTURE is no picture."""
    same = first[:, :, None] == second[:, None, :]
    return np.asarray((same.any(axis=2) & (first != NO_PICTURE)).sum(axis=1))


def _measured(
    engine: Engine, files: Sequence[ScannedFile], crops: Sequence[Crop], dataset: Dataset | None, progress: Progress
) -> Network:
    seconds = _build(engine.settings, files, progress)
    gallery = engine.gallery()
    engine.networks.load(gallery)
    numbers = {file.id: number for number, file in enumerate(files)}
    return Network(
        engine.settings.build.backbone,
        gallery.image_count,
        gallery.image_count / seconds,
        gallery.descriptors.nbytes / gallery.image_count,
        {ranking: _search(engine, gallery, crops, numbers, ranking, progress) for ranking in RANKINGS},
        {ranking: evaluate(engine, gallery, dataset, ranking, progress) for ranking in RANKINGS} if dataset else {},
    )


def _build(settings: Settings, files: Sequence[ScannedFile], progress: Progress) -> float:
    """Index the files; returns how many seconds that took once network and decoders were ready."""
    embedder, _ = embedder_for_building(settings, progress)
    with start_here(settings, embedder) as executor:
        options = BuildOptions(scan=Scan(list(files), [], []), rules=settings.gallery_rules)
        began = time.perf_counter()
        build(settings.gallery_dir, settings.index_dir, executor, progress, options)
        return time.perf_counter() - began


def _search(
    engine: Engine,
    gallery: Gallery,
    crops: Sequence[Crop],
    numbers: Mapping[str, int],
    ranking: str,
    progress: Progress,
) -> Found:
    """Search for the crops one after the other."""
    hits, seconds = np.full((len(crops), TOP), NO_PICTURE), np.zeros(len(crops))
    for row, crop in enumerate(crops):
        began = time.perf_counter()
        answered = engine.search(gallery, crop.image, Box.whole(crop.image), TOP, ranking)
        seconds[row] = time.perf_counter() - began
        names = (hit.image if hit.image in numbers else split_id(hit.image)[0] for hit in answered)
        hits[row, : len(answered)] = [numbers[name] for name in names]
        progress(f"Searching ({ranking})", row + 1, len(crops))
    return Found(hits, ranks_of(hits, np.array([numbers[crop.picture] for crop in crops])), seconds)
