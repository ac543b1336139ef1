"""Write the files of a new generation from reused and newly described images."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index.building.journal import Journal
from index.building.update_plan import Plan
from index.storage.arrays import new_class_scores, new_vectors, write_cells, write_neighbours, write_whitening
from index.storage.blobs import BlobWriter, read_slice, share, worth_sharing
from index.storage.generation import FileFacts, write_skipped
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
    ids = sorted(plan.taken.keys() | plan.made)
    shared = _share(plan, folder)
    counts = journal.counts()
    sizes = [_row_count(plan, image) if image in plan.taken else counts[image] for image in ids]
    whitening = journal.whitening
    assert whitening is not None
    write_whitening(folder, whitening[0])
    vectors = new_vectors(folder, sum(sizes), whitening[0].projection.shape[1])
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
    write_skipped(folder, sorted(plan.skipped, key=lambda s: s.file))
    images = np.repeat(np.arange(len(ids)), sizes)
    here = _new_rows(plan, ids, sizes)
    known = plan.base.neighbours(here) if plan.base else None
    write_neighbours(
        folder, find_neighbours(vectors, images, known, lambda *at: progress("Linking similar regions", *at))
    )
    if wants_cells(store, len(vectors)):
        before = plan.base.generation.cells if plan.base else None
        write_cells(folder, update_cells(before, here, vectors, progress) if before else make_cells(vectors, progress))
    return Assembled(
        {entry.image: entry.sha256 for entry in entries}, len(vectors), fit_background_scores(vectors, images), shared
    )


def _image_data(
    plan: Plan, journal: Journal, image: str, blobs: BlobWriter, shared: dict[str, FileFacts]
) -> tuple[ImageEntry, list[Region], Vectors, ClassScores]:
    if image not in plan.taken:
        made = journal.picture(image)
        entry = ImageEntry(
            image=image,
            path=made.path,
            width=made.width,
            height=made.height,
            bytes=made.bytes,
            mtime=made.mtime,
            sha256=made.sha256,
        )
        return blobs.add(entry, made.thumbnail, made.keypoints), made.regions, made.vectors, made.class_scores
    assert plan.base is not None
    taken, before = plan.taken[image], plan.base.generation.folder
    entry = replace(plan.base.entries[taken.number], image=image, path=taken.path, mtime=taken.mtime)
    if entry.thumb_file not in shared:
        thumbnail = read_slice(before, entry.thumb_file, entry.thumb_start, entry.thumb_bytes)
        keypoints = read_slice(before, entry.keypoints_file, entry.keypoints_start, entry.keypoints_bytes)
        entry = blobs.add(entry, thumbnail, keypoints)
    number = taken.number
    return entry, plan.base.regions(number), plan.base.vectors(number), plan.base.class_scores(number)


def _share(plan: Plan, folder: Path) -> dict[str, FileFacts]:
    if plan.base is None:
        return {}
    needed = {plan.base.entries[taken.number].image: plan.base.entries[taken.number] for taken in plan.taken.values()}
    shared = worth_sharing(plan.base.generation, needed.values())
    for name in shared:
        share(name, plan.base.generation.folder, folder)
    return shared


def _row_count(plan: Plan, image: str) -> int:
    assert plan.base is not None
    rows = plan.base.rows(plan.taken[image].number)
    return int(rows.stop - rows.start)


def _new_rows(plan: Plan, ids: list[str], sizes: list[int]) -> Rows:
    """Map each row of the previous generation to its new row, or -1 -> (N,); (0,) without a previous generation."""
    if plan.base is None:
        return np.zeros(0, np.int64)
    here = np.full(len(plan.base.generation.vectors), -1)
    for image, start, size in zip(ids, np.cumsum([0, *sizes]), sizes, strict=False):
        taken = plan.taken.get(image)
        if taken is not None and here[plan.base.rows(taken.number)][0] == -1:  # of several copies, the first
            here[plan.base.rows(taken.number)] = np.arange(start, start + size)
    return here
