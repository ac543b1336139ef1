"""Verify a generation: file hashes, table consistency and vector invariants."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from index.building.jobs import build_state
from index.storage.generation import Generation, current_folder, open_generation, wave_of
from index.storage.manifest import file_faults, read_manifest
from index.storage.skipped_files import read_skipped
from index.storage.written_text import WrittenText
from index.stores.ivf import nearest_cells
from retrieval.errors import IndexProblem
from retrieval.types import Progress, quiet

UNIT_TOLERANCE = 1e-3
CHECKED = 10_000
"""Number of vectors whose cell is checked."""
SLICES = (("thumbnail", "thumb"), ("keypoints", "keypoints"))
"""Kinds of blobs, and the prefix of their columns in images.parquet."""


def verify(index_dir: Path, progress: Progress = quiet) -> list[str]:
    """Check the served generation: file hashes, tables and vectors; one sentence per fault, empty if intact.

    Raises IndexProblem if there is no index.
    """
    return verify_generation(current_folder(index_dir), progress)


def verify_generation(folder: Path, progress: Progress = quiet) -> list[str]:
    """Like `verify`, for any generation."""
    try:
        damaged = file_faults(folder, read_manifest(folder).files, progress=progress)
        if damaged:
            return [f"{fault}." for fault in damaged.values()]
        generation = open_generation(folder)
        return [fault for check in (_vectors, _cells, _pictures, _slices, _skipped) for fault in check(generation)]
    except IndexProblem as problem:
        return [str(problem)]


def remarks(index_dir: Path) -> list[str]:
    """Remarks that are not faults: a running build, leftovers of builds, unknown files."""
    said = []
    left = sorted(path.name for path in index_dir.glob("tmp-*"))
    state = build_state(index_dir)
    if state is not None and state.state == "running":
        said.append(f"A build of this index is running (process {state.pid}).")
    elif left:
        said.append(f"Left over from an interrupted build: {', '.join(left)}. The next build removes it.")
    folder = current_folder(index_dir)
    ours = {"manifest.json", *read_manifest(folder).files} if (folder / "manifest.json").is_file() else set()
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    wave = wave_of(folder)
    if wave is not None:
        said.append(f"{folder.name} is not finished: it is to have about {wave.found:,} pictures.")
    text = WrittenText(index_dir).problem()
    said += [text] if text else []
    return said + [
        f"{name} in {folder.name} is not part of the index and is ignored." for name in names if name not in ours
    ]


def _vectors(generation: Generation) -> Iterator[str]:
    lengths = np.linalg.norm(generation.vectors, axis=1)
    wrong = np.count_nonzero(np.abs(lengths - 1) > UNIT_TOLERANCE)
    if not np.isfinite(lengths).all():
        yield "Some vectors contain NaN or infinite values."
    elif wrong:
        yield f"Vectors that do not have length 1: {wrong}."


def _cells(generation: Generation) -> Iterator[str]:
    cells, vectors = generation.cells, generation.vectors
    if cells is None:
        return
    rows = np.arange(0, len(vectors), -(-len(vectors) // CHECKED))
    nearest = cells.centroids[nearest_cells(vectors[rows], cells.centroids)]
    further = np.einsum("nd,nd->n", vectors[rows], nearest - cells.centroids[cells.of_row[rows]])
    wrong = np.count_nonzero(further > UNIT_TOLERANCE)
    if wrong:
        yield f"Vectors in the wrong cell, which searches may miss: {wrong} of {len(rows)} checked."


def _pictures(generation: Generation) -> Iterator[str]:
    tables = generation.tables
    width, height = (tables.images[side].to_numpy()[tables.image_of_row] for side in ("width", "height"))
    x0, y0, x1, y1 = tables.boxes.T
    inside = (x0 >= 0) & (y0 >= 0) & (x0 < x1) & (y0 < y1) & (x1 <= width) & (y1 <= height)
    if not inside.all():
        yield f"Regions that are not inside their picture: {np.count_nonzero(~inside)}."
    without = len(tables.ids) - len(np.unique(tables.image_of_row))
    if without:
        yield f"Pictures without a region, which searches never find: {without}."


def _slices(generation: Generation) -> Iterator[str]:
    images, files = generation.tables.images, generation.manifest.files
    for what, columns in SLICES:
        sizes = np.array([files[name].bytes for name in images[f"{columns}_file"].to_pylist()], np.int64)
        starts, lengths = (images[f"{columns}_{column}"].to_numpy() for column in ("start", "bytes"))
        wrong = (starts < 0) | (lengths < 0) | (starts > sizes - lengths)
        if wrong.any():
            yield f"Pictures with a wrong {what} location: {np.count_nonzero(wrong)}."


def _skipped(generation: Generation) -> Iterator[str]:
    listed, counted = len(read_skipped(generation.folder)), generation.manifest.counts.skipped
    if listed != counted:
        yield f"Skipped files: {counted} in the manifest, but {listed} in the list."
