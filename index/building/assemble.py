"""Write the files of a new generation from reused and newly described images."""

from collections.abc import Container
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index.building.journal import Journal
from index.building.update_plan import Plan
from index.building.whitened_journal import WhitenedJournal
from index.storage.arrays import (
    INVERTED_FILE,
    Cells,
    new_classes,
    new_shares,
    new_vectors,
    read_vectors,
    write_cells,
    write_neighbours,
    write_whitening,
)
from index.storage.blobs import BlobWriter, read_slice, share, worth_sharing
from index.storage.manifest import FileFacts
from index.storage.skipped_files import write_skipped
from index.storage.tables import ImageEntry, write_tables
from index.stores.inverted_file import write_inverted_file
from index.stores.ivf import make_cells, update_cells, wants_cells
from retrieval.descriptors.whitening import Whitening
from retrieval.ranking.confidence import BackgroundScores, fit_background_scores
from retrieval.ranking.diffusion import Neighbours, find_neighbours, moved
from retrieval.types import ClassScores, Numbers, Progress, Region, Rows, Vectors


@dataclass(frozen=True, slots=True)
class Assembled:
    """Facts about the written files, for the manifest and the next wave."""

    entries: dict[str, ImageEntry]
    """By image id, in the order of ids."""
    sizes: dict[str, int]
    """Image id -> number of vector rows."""
    background: BackgroundScores
    files: dict[str, FileFacts]
    """Files whose hash is known: linked files of thumbnails and keypoints, and those hashed while written."""
    whitening: Whitening
    learned: int
    """Number of pictures the whitening was learned from."""
    neighbours: Neighbours
    cells: Cells | None

    @property
    def hashes(self) -> dict[str, str]:
        """Image id -> SHA-256 of its file."""
        return {image: entry.sha256 for image, entry in self.entries.items()}

    @property
    def regions(self) -> int:
        return sum(self.sizes.values())


@dataclass(frozen=True, slots=True)
class _Known:
    """Results of an earlier generation, and where its rows (N,) are now, or -1."""

    here: Rows
    neighbours: Neighbours | None = None
    cells: Cells | None = None


def assemble(
    plan: Plan,
    journal: Journal | WhitenedJournal,
    classes: int,
    folder: Path,
    progress: Progress,
    store: str = "auto",
) -> Assembled:
    """Write all files but the manifest to `folder`, in order of image ids.

    `classes` is the number of classes stored per region, `store` the vector store the index must support.
    """
    progress("Writing the index", 0, 0)
    whitening = journal.whitening
    assert whitening is not None
    size_of = _sizes(plan, journal)
    ids, sizes = list(size_of), list(size_of.values())
    write_whitening(folder, whitening)
    entries, files = _write_pictures(plan, journal, size_of, classes, folder, progress)
    write_skipped(folder, sorted(plan.skipped, key=lambda skipped: skipped.file))
    vectors = read_vectors(folder, sum(sizes))
    images = np.repeat(np.arange(len(ids)), sizes)
    known = _known(plan, entries, sizes, whitening)
    cells, cell_files = _divide(folder, vectors, known, progress) if wants_cells(store, len(vectors)) else (None, {})
    return Assembled(
        dict(zip(ids, entries, strict=True)),
        size_of,
        fit_background_scores(vectors, images),
        files | cell_files,
        whitening,
        journal.learned,
        _link(folder, vectors, images, known, progress),
        cells,
    )


def _write_pictures(
    plan: Plan,
    journal: Journal | WhitenedJournal,
    size_of: dict[str, int],
    classes: int,
    folder: Path,
    progress: Progress,
) -> tuple[list[ImageEntry], dict[str, FileFacts]]:
    """Write what is known of each picture: vectors, class scores, thumbnails, keypoints and tables, in order of ids.

    Returns the entries, and the files whose hash is known. The regions, gigabytes for a million pictures, are not kept.
    """
    assert journal.whitening is not None
    rows, shared = sum(size_of.values()), _share_blobs(plan, folder)
    entries, regions = [], []
    with (
        closing(BlobWriter(folder, shared)) as blobs,
        new_vectors(folder, rows, journal.whitening.projection.shape[1]) as all_vectors,
        new_classes(folder, rows, classes) as all_classes,
        new_shares(folder, rows, classes) as all_shares,
    ):
        for image in size_of:
            entry, of_image, vectors_of_image, found = _image_data(plan, journal, image, blobs, shared)
            all_vectors.add(vectors_of_image)
            all_classes.add(found.classes)
            all_shares.add(found.shares)
            entries.append(entry)
            regions.append(of_image)
            progress("Writing the index", len(entries), len(size_of))
    write_tables(folder, entries, regions)
    return entries, shared | blobs.facts | all_vectors.facts | all_classes.facts | all_shares.facts


def _sizes(plan: Plan, journal: Journal | WhitenedJournal) -> dict[str, int]:
    """Image id -> number of vector rows, in the order of ids."""
    counts = journal.counts()
    if plan.base:
        counts |= {image: plan.base.row_count(reused.number) for image, reused in plan.reused.items()}
    return {image: counts[image] for image in sorted(plan.images)}


def _link(folder: Path, vectors: Vectors, images: Numbers, known: _Known, progress: Progress) -> Neighbours:
    """Find and write the neighbours of vectors (N, D) of images (N,)."""
    neighbours = find_neighbours(
        vectors, images, known.neighbours, lambda *at: progress("Linking similar regions", *at)
    )
    write_neighbours(folder, neighbours)
    return neighbours


def _divide(folder: Path, vectors: Vectors, known: _Known, progress: Progress) -> tuple[Cells, dict[str, FileFacts]]:
    """Divide vectors (N, D) into the cells of the store, and write these. The facts of the inverted file."""
    before = known.cells
    cells = update_cells(before, known.here, vectors, progress) if before else make_cells(vectors, progress)
    write_cells(folder, cells)
    progress("Writing the cells", 0, 0)
    return cells, write_inverted_file(folder / INVERTED_FILE, vectors, cells)


def _image_data(
    plan: Plan, journal: Journal | WhitenedJournal, image: str, blobs: BlobWriter, shared: Container[str]
) -> tuple[ImageEntry, list[Region], Vectors, ClassScores]:
    if image not in plan.reused:
        made = journal.picture(image)
        entry = _placed(plan, made.entry, len(made.keypoints)) or blobs.add(made.entry, made.thumbnail, made.keypoints)
        return entry, made.regions, made.vectors, made.class_scores
    base, reused = plan.base, plan.reused[image]
    assert base is not None
    entry = replace(base.entries[reused.number], image=image, path=reused.path, mtime=reused.mtime)
    placed = _placed(plan, entry, entry.keypoints_bytes)
    if placed is not None:
        entry = placed
    elif entry.thumb_file not in shared or plan.former is not None:
        folder = base.generation.folder
        thumbnail = read_slice(folder, entry.thumb_file, entry.thumb_start, entry.thumb_bytes)
        keypoints = read_slice(folder, entry.keypoints_file, entry.keypoints_start, entry.keypoints_bytes)
        entry = blobs.add(entry, thumbnail, keypoints)
    rows = base.rows(reused.number)
    return entry, base.regions(reused.number), base.generation.vectors[rows], base.generation.class_scores[rows]


def _placed(plan: Plan, entry: ImageEntry, keypoints: int) -> ImageEntry | None:
    """The entry as in the former wave, if that has the picture."""
    return plan.former.placed(entry, keypoints) if plan.former is not None else None


def _share_blobs(plan: Plan, folder: Path) -> dict[str, FileFacts]:
    """Link the blob files of the former wave, or those of the previous generation that are worth sharing."""
    if plan.former is not None:
        for name in plan.former.files:
            share(name, plan.former.folder, folder)
        return plan.former.files
    if plan.base is None:
        return {}
    numbers = {reused.number for reused in plan.reused.values()}
    shared = worth_sharing(plan.base.generation, [plan.base.entries[number] for number in numbers])
    for name in shared:
        share(name, plan.base.generation.folder, folder)
    return shared


def _known(plan: Plan, entries: list[ImageEntry], sizes: list[int], whitening: Whitening) -> _Known:
    """What is known of the former wave, if its whitening is the same, or else of the previous generation."""
    former = plan.former
    if former is not None and former.whitening is whitening:
        here = former.new_rows(entries, sizes)
        return _Known(here, moved(former.neighbours, here), former.cells)
    here = _new_rows(plan, [entry.image for entry in entries], sizes)
    if plan.base is None:
        return _Known(here)
    return _Known(here, plan.base.neighbours(here), plan.base.generation.cells)


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
