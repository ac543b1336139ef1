"""Write the files of a new generation from reused and newly described images."""

from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index.building.journal import Journal
from index.building.update_plan import Plan
from index.storage.arrays import new_class_scores, new_vectors, write_cells, write_neighbours, write_whitening
from index.storage.blobs import BlobWriter, read_slice, share, worth_sharing
from index.storage.manifest import FileFacts
from index.storage.skipped_files import write_skipped
from index.storage.tables import ImageEntry, write_tables
from index.stores.ivf import make_cells, update_cells, wants_cells
from retrieval.ranking.confidence import BackgroundScores, fit_background_scores
from retrieval.ranking.diffusion import find_neighbours
from retrieval.types import ClassScores, Progress, Region, Rows, Vectors


@dataclass(frozen=True, slots=True)
class Assembled:
    """Facts about the written files, for the manifest."""

    hashes: dict[str, str]
    """Image id -> SHA-256 of its file."""
    regions: int
    background: BackgroundScores
    shared: dict[str, FileFacts]
    """Blob files linked from the previous generation."""


def assemble(
    plan: Plan, journal: Journal, classes: int, folder: Path, progress: Progress, store: str = "auto"
) -> Assembled:
    """Write all files but the manifest to `folder`, in order of image ids.

    `classes` is the number of classes stored per region, `store` the vector store the index must support.
    """
    progress("Writing the index", 0, 0)
    whitening = journal.whitening
    assert whitening is not None
    ids = sorted(plan.reused.keys() | plan.described)
    counts = journal.counts()
    if plan.base:
        counts |= {image: plan.base.row_count(reused.number) for image, reused in plan.reused.items()}
    sizes = [counts[image] for image in ids]
    shared = _share_blobs(plan, folder)
    write_whitening(folder, whitening)
    vectors = new_vectors(folder, sum(sizes), whitening.projection.shape[1])
    class_scores = new_class_scores(folder, len(vectors), classes)
    blobs = BlobWriter(folder, shared)
    entries, regions, start = [], [], 0
    for image, size in zip(ids, sizes, strict=True):
        rows = slice(start, start + size)
        entry, of_image, vectors[rows], found = _image_data(plan, journal, image, blobs, shared)
        class_scores.classes[rows], class_scores.shares[rows] = found.classes, found.shares
        entries.append(entry)
        regions.append(of_image)
        start += size
        progress("Writing the index", len(entries), len(ids))
    write_tables(folder, entries, regions)
    write_skipped(folder, sorted(plan.skipped, key=lambda skipped: skipped.file))
    images = np.repeat(np.arange(len(ids)), sizes)
    here = _new_rows(plan, ids, sizes)
    known = plan.base.neighbours(here) if plan.base else None
    write_neighbours(
        folder, find_neighbours(vectors, images, known, lambda *at: progress("Linking similar regions", *at))
    )
    if wants_cells(store, len(vectors)):
        before = plan.base.generation.cells if plan.base else None
        write_cells(folder, update_cells(before, here, vectors, progress) if before else make_cells(vectors, progress))
    hashes = {entry.image: entry.sha256 for entry in entries}
    return Assembled(hashes, len(vectors), fit_background_scores(vectors, images), shared)


def _image_data(
    plan: Plan, journal: Journal, image: str, blobs: BlobWriter, shared: Container[str]
) -> tuple[ImageEntry, list[Region], Vectors, ClassScores]:
    if image not in plan.reused:
        made = journal.picture(image)
        return blobs.add(made.entry, made.thumbnail, made.keypoints), made.regions, made.vectors, made.class_scores
    base, reused = plan.base, plan.reused[image]
    assert base is not None
    entry = replace(base.entries[reused.number], image=image, path=reused.path, mtime=reused.mtime)
    if entry.thumb_file not in shared:
        folder = base.generation.folder
        thumbnail = read_slice(folder, entry.thumb_file, entry.thumb_start, entry.thumb_bytes)
        keypoints = read_slice(folder, entry.keypoints_file, entry.keypoints_start, entry.keypoints_bytes)
        entry = blobs.add(entry, thumbnail, keypoints)
    rows = base.rows(reused.number)
    return entry, base.regions(reused.number), base.generation.vectors[rows], base.generation.class_scores[rows]


def _share_blobs(plan: Plan, folder: Path) -> dict[str, FileFacts]:
    """Link the blob files of the previous generation that are worth sharing."""
    if plan.base is None:
        return {}
    numbers = {reused.number for reused in plan.reused.values()}
    shared = worth_sharing(plan.base.generation, [plan.base.entries[number] for number in numbers])
    for name in shared:
        share(name, plan.base.generation.folder, folder)
    return shared


def _new_rows(plan: Plan, ids: list[str], sizes: list[int]) -> Rows:
    """Map each row of the previous generation to its new row, or -1 -> (N,); (0,) without a previous generation."""
    if plan.base is None:
        return np.zeros(0, np.int64)
    here = np.full(len(plan.base.generation.vectors), -1)
    for image, start, size in zip(ids, np.cumsum([0, *sizes]), sizes, strict=False):
        if image in plan.reused:
            rows = plan.base.rows(plan.reused[image].number)
            if here[rows][0] == -1:  # of several copies, the first
                here[rows] = np.arange(start, start + size)
    return here
