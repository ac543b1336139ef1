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
    thumbs/0000.jpgs …     JPEG thumbnails, concatenated
    keypoints/0000.bin …   keypoints for geometric verification, concatenated
    manifest.json          format, recipe, counts, background scores, sha256 of every other file; written last
  build.lock build.json build.log journal.sqlite tmp-…   of the running or last build

Unchanged files of thumbs/ and keypoints/ are hard links to those of the previous generation, or copies if the disk has
no hard links.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import pyarrow as pa

from index.storage.arrays import Cells, read_cells, read_class_scores, read_neighbours, read_vectors, read_whitening
from index.storage.manifest import REBUILD, Manifest, file_faults, read_manifest
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


def served_generation(index_dir: Path) -> tuple[Generation, str]:
    """The current generation, or the newest intact one if it is damaged; and a sentence about the damage, or "".

    Raises IndexProblem if no generation can be served.
    """
    name = served_name(index_dir)
    try:
        generation = open_generation(current_folder(index_dir))
    except IndexProblem as problem:
        if name != served_name(index_dir):  # a build has replaced it meanwhile
            return served_generation(index_dir)
        return _last_good(index_dir, name, problem)
    if file_faults(generation.folder, generation.manifest.blob_files, sizes_only=True):
        return generation, "Thumbnails or keypoints of some pictures are damaged; update the index to repair them."
    return generation, ""


def _last_good(index_dir: Path, current: str, problem: IndexProblem) -> tuple[Generation, str]:
    for folder in reversed([folder for folder in generations(index_dir) if folder.name != current]):
        try:
            generation = open_generation(folder)
        except IndexProblem:
            continue
        built = f"{generation.manifest.created.astimezone():%d %B %Y, %H:%M}"
        return generation, f"The newest index is damaged. Searches use the one of {built} until you rebuild it."
    raise problem


def open_generation(folder: Path) -> Generation:
    """Open a generation and check everything except thumbnails and keypoints. Raises IndexProblem."""
    manifest = read_manifest(folder)
    checked = {name: facts for name, facts in manifest.files.items() if name not in manifest.blob_files}
    faults = file_faults(folder, checked)  # an error of the disk is raised as it is: the files may be intact
    if faults:
        raise IndexProblem(f"The index {folder.name} is damaged: {'; '.join(faults.values())}. {REBUILD}")
    try:
        return _read(folder, manifest)
    except (OSError, ValueError, KeyError, OverflowError, BadZipFile, pa.ArrowException) as error:
        raise IndexProblem(f"The index {folder.name} is damaged: {error}. {REBUILD}") from None


def _read(folder: Path, manifest: Manifest) -> Generation:
    """Raises ValueError, and the errors of the libraries that read the files."""
    rows = manifest.counts.regions
    vectors, tables, whitening = read_vectors(folder, rows), read_tables(folder), read_whitening(folder)
    neighbours, class_scores = read_neighbours(folder, rows), read_class_scores(folder, rows)
    cells = read_cells(folder, rows, vectors.shape[1]) if "cells.npz" in manifest.files else None
    if vectors.shape[1:] != whitening.projection.shape[1:]:
        raise ValueError("vectors.npy does not match its whitening")
    if not tables.files <= manifest.files.keys():
        raise ValueError("images.parquet names unknown files")
    if (len(tables.image_of_row), len(tables.ids)) != (rows, manifest.counts.images):
        raise ValueError("its tables have different lengths")
    return Generation(folder, manifest, vectors, tables, whitening, neighbours, class_scores, cells)
