"""The index on disk: immutable, checksummed generations, and CURRENT, which names the served one.

INDEX_DIR/
  CURRENT                  name of the served generation, replaced atomically
  gen-000007-3f9c/
    vectors.npy            (N, D) float32
    regions.parquet        vector row -> image, box, kind, and score and label from its detector
    classes.npy shares.npy (N, T) int16, float16: the most probable classes of each region, their probabilities
    images.parquet         image -> file, size, mtime, sha256, date taken, location of thumbnail and keypoints
    skipped.parquet        file -> reason code and sentence
    whitening.npz          kind, mean (C,), projection (C, D)
    neighbours.npz         most similar regions in other images: nodes, nearest, similarities
    cells.npz              large indexes only: IVF centroids (C, D), the cell of each vector
    cells.faiss            large indexes only: the vectors in 8 bits, sorted by cell
    thumbs/0000.jpgs …     JPEG thumbnails, concatenated
    keypoints/0000.bin …   keypoints for geometric verification, concatenated
    manifest.json          format, recipe, counts, background scores, sha256 of every other file; written last
  build.lock build.json build.log journal.sqlite tmp-…   of the running or last build
  recent-finds.bin         what the last searches found, whose text is read first

Unchanged files of thumbs/ and keypoints/ are hard links to those of the previous generation, or copies if the disk has
no hard links.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import pyarrow as pa

from index.storage.arrays import (
    INVERTED_FILE,
    Cells,
    read_cells,
    read_class_scores,
    read_neighbours,
    read_vectors,
    read_whitening,
)
from index.storage.checked_files import faults_on_opening
from index.storage.manifest import REBUILD, Manifest, Wave, file_faults, read_manifest
from index.storage.tables import Tables, read_tables
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import IndexProblem
from retrieval.ranking.diffusion import Neighbours
from retrieval.types import ClassScores, Vectors

NAME = re.compile(r"gen-(\d{6,})-[0-9a-f]{4}")


@dataclass(frozen=True, slots=True)
class Generation:
    """A complete generation, opened and checked."""

    folder: Path
    manifest: Manifest
    vectors: Vectors
    tables: Tables
    whitening: Whitening
    neighbours: Neighbours
    class_scores: ClassScores
    cells: Cells | None = None
    """None unless the index is large or was built with the store "cells"."""


def generations(index_dir: Path) -> list[Path]:
    """Folders of all published generations, damaged ones included, oldest first."""
    found = [path for path in index_dir.glob("gen-*") if NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=generation_number)


def generation_number(folder: Path) -> int:
    """The number in a generation's name; generations are ordered by it."""
    return int(folder.name.split("-")[1])


def current_folder(index_dir: Path) -> Path:
    """Folder of the generation that CURRENT names. Raises IndexProblem if there is none."""
    try:
        name = (index_dir / "CURRENT").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise IndexProblem(
            f"There is no index in {index_dir} yet; run boxfind build --gallery DIR --index DIR."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise IndexProblem(f"The index in {index_dir} cannot be read: {error}.") from None
    if not NAME.fullmatch(name):
        raise IndexProblem(f"CURRENT in {index_dir} is damaged. {REBUILD}")
    return index_dir / name


def served_name(index_dir: Path) -> str:
    """Name of the generation in CURRENT, or ""."""
    try:
        return current_folder(index_dir).name
    except IndexProblem:
        return ""


def wave_of(folder: Path) -> Wave | None:
    """What the manifest says if a build published this generation while it went on; None if not, or if unreadable."""
    try:
        return read_manifest(folder).wave
    except IndexProblem:
        return None


def complete_generations(index_dir: Path, before: Path) -> list[Path]:
    """The folders of complete generations older than `before`, newest first; first that from which it was made.

    One without a readable manifest is not complete: what is left of a generation that could not be deleted whole.
    """
    number, wave = generation_number(before), wave_of(before)
    older = [folder for folder in reversed(generations(index_dir)) if generation_number(folder) < number]
    return sorted(filter(_is_complete, older), key=lambda folder: wave is None or folder.name != wave.base)


def _is_complete(folder: Path) -> bool:
    try:
        return read_manifest(folder).wave is None
    except IndexProblem:
        return False


def complete_generation(served: Generation) -> Generation | None:
    """The last complete generation: `served`, or if that is a wave the one its build started from, fully checked.

    None if that was the first build.
    """
    wave = served.manifest.wave
    if wave is None:
        return served
    for folder in complete_generations(served.folder.parent, served.folder) if wave.base else []:
        with suppress(IndexProblem):
            return open_generation(folder, thorough=True)
    return None


def served_generation(index_dir: Path, thorough: bool = False) -> tuple[Generation, str]:
    """The current generation, or the newest intact one if it is damaged; and a sentence about the damage, or "".

    `thorough` also finds damage that changes no size. Raises IndexProblem if no generation can be served.
    """
    name = served_name(index_dir)
    try:
        generation = open_generation(current_folder(index_dir), thorough)
    except IndexProblem as problem:
        if name != served_name(index_dir):  # a build has replaced it meanwhile
            return served_generation(index_dir, thorough)
        return _last_good(index_dir, name, problem, thorough)
    if file_faults(generation.folder, generation.manifest.blob_files, sizes_only=True):
        return generation, "Thumbnails or keypoints of some pictures are damaged; update the index to repair them."
    return generation, ""


def _last_good(index_dir: Path, current: str, problem: IndexProblem, thorough: bool) -> tuple[Generation, str]:
    for folder in reversed([folder for folder in generations(index_dir) if folder.name != current]):
        try:
            generation = open_generation(folder, thorough)
        except IndexProblem:
            continue
        built = f"{generation.manifest.created.astimezone():%d %B %Y, %H:%M}"
        return generation, f"The newest index is damaged. Searches use the one of {built} until you rebuild it."
    raise problem


def open_generation(folder: Path, thorough: bool = False) -> Generation:
    """Open a generation and check everything except thumbnails, keypoints and the bytes of large files.

    `thorough` checks these bytes too. Raises IndexProblem.
    """
    manifest = read_manifest(folder)
    faults = faults_on_opening(
        folder, manifest, thorough
    )  # an error of the disk is raised as it is: the files may be intact
    if faults:
        raise IndexProblem(f"The index {folder.name} is damaged: {'; '.join(faults.values())}. {REBUILD}")
    try:
        return _read(folder, manifest)
    except (OSError, ValueError, KeyError, OverflowError, BadZipFile, pa.ArrowException) as error:
        raise IndexProblem(f"The index {folder.name} is damaged: {error}. {REBUILD}") from None


def _read(folder: Path, manifest: Manifest) -> Generation:
    """Raises ValueError, and the errors of the libraries that read the files."""
    rows = manifest.counts.regions
    tables = read_tables(folder, manifest.more_folders)
    vectors, whitening = read_vectors(folder, rows), read_whitening(folder)
    neighbours, class_scores = read_neighbours(folder, rows), read_class_scores(folder, rows)
    cells = None
    if "cells.npz" in manifest.files:
        cells = read_cells(folder, rows, vectors.shape[1], INVERTED_FILE in manifest.files)
    if vectors.shape[1:] != whitening.projection.shape[1:]:
        raise ValueError("vectors.npy does not match its whitening")
    if not tables.files <= manifest.files.keys():
        raise ValueError("images.parquet names unknown files")
    if (len(tables.image_of_row), len(tables.ids)) != (rows, manifest.counts.images):
        raise ValueError("its tables have different lengths")
    return Generation(folder, manifest, vectors, tables, whitening, neighbours, class_scores, cells)
