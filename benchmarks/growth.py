"""Galleries of 10,000 pictures and more through the real formats: builds, updates, opening, memory, disk, searches.

Every picture is a copy of one of the index: the same regions and class scores and, in galleries of up to WITH_BLOBS
pictures, the same thumbnail and keypoints; noise is added to the vectors. The builds scan, store and publish as always;
only decoding and the network are left out. The folder of the gallery holds a small file for each picture.
"""

import io
import os
import shutil
import sys
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image as Pillow

from benchmarks.bench import Bench
from benchmarks.projection import PER_SECOND
from benchmarks.results import milliseconds, record, table
from benchmarks.stores import NOISE, in_new_process, private_memory, timed
from boxfind.embedders import embedder_for_building
from boxfind.engine import Engine
from boxfind.evaluation.batch import make_answer
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.settings import Settings
from index.building.build import build
from index.building.describe_image import ImageTask, Result
from index.building.journal import DescribedImage
from index.gallery import Gallery
from index.storage.blobs import read_slice
from index.storage.folder_scan import ScannedFile
from index.storage.manifest import read_manifest
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.whitening import Whitening
from retrieval.types import Vectors, quiet, unit

SIZES = (10_000, 100_000, 1_000_000)
VECTORS_OF_PICTURE = 15
WITH_BLOBS = 10_000
"""Larger galleries have tiny thumbnails and no keypoints, which would take 80 KB a picture: `best` verifies nothing."""
ADDED = 1000
SEARCHES = 60
FILES_OF_FOLDER = 1000
LONG_AGO = 1_000_000_000
"""When the files were modified, in seconds. New files are read again by the next update."""
BUILT = [
    "pictures",
    "regions",
    "build s",
    f"{ADDED:,} added s",
    "share of a build",
    "KB on disk per picture",
    "of it vectors",
]
RANKINGS = ("fast", "best")
SERVED = [
    *("pictures", "open s", "open, CPU s", "KB in memory per picture"),
    *(f"{ranking}{kind} ms {share}" for ranking in RANKINGS for kind in ("", ", CPU") for share in ("p50", "p95")),
]


@dataclass(frozen=True, slots=True)
class Served:
    """How an index is served: seconds to open it, private bytes, and the seconds of searches by ranking.

    Processor time is that of all threads.
    """

    opening: float
    opening_cpu: float
    memory: int
    searches: dict[str, list[float]]
    searches_cpu: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class CopyingExecutor:
    """An Executor whose pictures are copies of those of a gallery, with noise on their vectors."""

    gallery: Gallery
    embedder: Embedder
    with_blobs: bool
    tiny: bytes
    """A thumbnail of a few pixels."""
    workers: int = 1

    def __call__(self, tasks: Iterable[ImageTask]) -> Generator[tuple[ScannedFile, Result]]:
        backwards = np.linalg.pinv(self.gallery.whitening.projection)
        for task in tasks:
            yield task.file, self._copy(task.file, backwards)

    def _copy(self, file: ScannedFile, backwards: Vectors) -> DescribedImage:
        gallery, number = self.gallery, int(Path(file.id).stem)
        source = number % gallery.image_count
        rows, entry = gallery.rows_of(source), gallery.tables.entry(source)
        vectors = gallery.vectors(rows)
        if number >= gallery.image_count:
            noise = unit(np.random.default_rng([11, number]).standard_normal(vectors.shape, np.float32))
            vectors = unit(vectors + NOISE * noise)
        blobs = [(entry.thumb_file, entry.thumb_start, entry.thumb_bytes)]
        blobs += [(entry.keypoints_file, entry.keypoints_start, entry.keypoints_bytes)]
        stored = [read_slice(gallery.folder, *blob) for blob in blobs] if self.with_blobs else [self.tiny, b""]
        return DescribedImage(
            replace(
                entry,
                image=file.id,
                path=file.relative,
                bytes=file.bytes,
                mtime=file.mtime,
                sha256=sha256(file.id.encode()).hexdigest(),
                place="",
                file_sha256="",
            ),
            stored[0],
            stored[1],
            [gallery.region(row) for row in rows],
            unwhitened(vectors, gallery.whitening, backwards),
            gallery.class_scores[rows],
        )


def measure(bench: Bench) -> None:
    built, served = [], []
    for size in (size for size in SIZES if size * VECTORS_OF_PICTURE <= bench.vectors):
        gallery = bench.scratch / "growing"
        settings = bench.settings.changed(gallery=gallery, index=bench.scratch / "growing index")
        built.append(_built(bench.engine, settings, size))
        print(built[-1], file=sys.stderr, flush=True)
        found = in_new_process(serve, settings, bench.queries(SEARCHES))
        served.append([f"{size:,}", *served_row(found, size)])
        print(served[-1], file=sys.stderr, flush=True)
        shutil.rmtree(gallery)
        shutil.rmtree(settings.index_dir)
    record("Growth", table(BUILT, built), table(SERVED, served))


def served_row(found: Served, size: int) -> list[str]:
    """The figures of the second table."""
    row = [f"{found.opening:.2f}", f"{found.opening_cpu:.2f}", f"{found.memory / size / 1024:.1f}"]
    for ranking in RANKINGS:
        row += [*milliseconds(found.searches[ranking]), *milliseconds(found.searches_cpu[ranking])]
    return row


def serve(settings: Settings, queries: list[BoxedQuery]) -> Served:
    """Open an index and search it, one query at a time."""
    engine, before, busy = Engine(settings), private_memory(), time.process_time()
    opening, gallery = timed(engine.gallery)
    opening_cpu, memory = time.process_time() - busy, private_memory() - before
    seconds, cpu = {}, {}
    for ranking in RANKINGS:
        answer = make_answer(engine, gallery, 10, ranking)
        for query in queries[:5]:  # loads the network, and the first pages of the vectors
            answer(query)
        times = [(time.process_time(), answer(query).seconds, time.process_time()) for query in queries]
        seconds[ranking] = [wall for _, wall, _ in times]
        cpu[ranking] = [end - began for began, _, end in times]
    return Served(opening, opening_cpu, memory, seconds, cpu)


def _built(engine: Engine, settings: Settings, size: int) -> list[str]:
    """Build an index of `size` pictures and update it with ADDED new ones; the row of the first table."""
    gallery = engine.gallery()
    embedder, _ = embedder_for_building(engine.settings, quiet, gallery.manifest.recipe)
    embedder = replace(embedder, whitening=gallery.whitening)
    executor = CopyingExecutor(gallery, embedder, size <= WITH_BLOBS, _tiny())
    _add_files(settings.gallery_dir, range(size))
    folder, seconds = _timed_build(settings, executor)
    _claim_learned(folder, size)
    _add_files(settings.gallery_dir, range(size, size + ADDED))
    folder, adding = _timed_build(settings, executor)
    manifest = read_manifest(folder)
    share = (adding + ADDED / PER_SECOND) / (seconds + size / PER_SECOND)
    disk = sum(file.bytes for file in manifest.files.values()) / manifest.counts.images
    vectors = manifest.files["vectors.npy"].bytes / manifest.counts.images
    figures = [f"{seconds:.1f}", f"{adding:.1f}", f"{share:.1%}", f"{disk / 1024:.1f}", f"{vectors / 1024:.1f}"]
    return [f"{size:,}", f"{manifest.counts.regions:,}", *figures]


def _timed_build(settings: Settings, executor: CopyingExecutor) -> tuple[Path, float]:
    """The free disk space is not checked: the program asks for that of real thumbnails and keypoints."""
    with mock.patch("index.building.build.need_space"):
        seconds, folder = timed(lambda: build(settings.gallery_dir, settings.index_dir, executor, quiet))
    return folder, seconds


def _add_files(folder: Path, numbers: range) -> None:
    """Write a small file for each number."""
    for number in numbers:
        path = folder / f"{number // FILES_OF_FOLDER:04d}" / f"{number:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
        os.utime(path, (LONG_AGO, LONG_AGO))


def _tiny() -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (8, 8)).save(file, "JPEG")
    return file.getvalue()


def _claim_learned(folder: Path, pictures: int) -> None:
    """Say that the whitening was learned from the pictures of a generation, so that an update keeps it."""
    manifest = read_manifest(folder).model_copy(update={"learned": pictures})
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")


def unwhitened(vectors: Vectors, whitening: Whitening, backwards: Vectors) -> Vectors:
    """Unit vectors (N, C) that a whitening turns into `vectors` (N, D). backwards (D, C) inverts its projection.

    Such a vector is mean + s w, where w is a vector projected back. Solves |mean + s w| = 1 for s > 0.
    """
    back, mean = vectors @ backwards, whitening.mean
    a, b, c = (back**2).sum(axis=1), back @ mean, float(mean @ mean) - 1
    scale = (np.sqrt(b**2 - a * c) - b) / a
    return np.asarray(mean + scale[:, None] * back, np.float32)
