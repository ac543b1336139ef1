"""The index on disk: complete, checksummed generations that are never edited, and CURRENT, which names the one served.

INDEX_DIR/
  CURRENT                  name of the served generation, replaced atomically
  gen-000007-3f9c/
    vectors.npy            (N, D) float32
    regions.parquet        vector row -> image, box, kind, score and label of its finder
    classes.npy shares.npy (N, T) int16 and float16: the likeliest classes of each region and how likely they are
    images.parquet         image -> file, size, time, sha256, where its thumbnail and keypoints lie
    skipped.parquet        file -> reason code and sentence
    whitening.npz          kind, mean (C,), projection (C, D)
    neighbours.npz         the regions of other images that each region resembles most: nodes, nearest, similarities
    cells.npz              of large indexes: centroids (C, D) of cells of similar vectors, the cell of each vector
    thumbs/0000.jpgs …     JPEG thumbnails one after the other, many to a file
    keypoints/0000.bin …   keypoints for geometric verification, the same way
    manifest.json          format, recipe, counts, background scores, sha256 of every other file; written last
  build.lock build.json build.log journal.sqlite tmp-…   of the build that runs, or ran last

Files of thumbs/ and keypoints/ that stay the same are hard links to those of the generation before, where the disk
has hard links.
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zipfile import BadZipFile

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from index.storage.arrays import Cells, read_cells, read_class_scores, read_neighbours, read_vectors, read_whitening
from index.storage.file_system import replace_file, sync
from index.storage.folder_scan import Skipped
from index.storage.tables import Tables, read_tables
from retrieval.descriptors.recipe import Recipe
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import IndexProblem
from retrieval.networks.weights import file_sha256
from retrieval.ranking.confidence import BackgroundScores
from retrieval.ranking.diffusion import Neighbours
from retrieval.types import ClassScores, Vectors

Prepare = Callable[[Path], None]
"""What has to be done with a complete generation before it is served; it raises when that is not possible."""
FORMAT = 5
RENAMED_SINCE_4 = {"fine": "mid_layer_weight", "distinct": "dedup_similarity", "finders": "detectors"}
"""Fields of the recipe, which lacks `keypoints` in format 4; that also calls the background scores `null`."""
SLICED = ("thumbs", "keypoints")
"""Folders of files that are read a slice at a time; their contents are checked by verify and build, not on opening."""
NAME = re.compile(r"gen-(\d{6,})-[0-9a-f]{4}")
FILE = re.compile(r"[a-z]+\.(npy|npz|parquet)|(thumbs|keypoints)/\d{4,}\.(jpgs|bin)")
REBUILD = "Build it again: boxfind build --gallery DIR --index DIR."
SKIPPED_COLUMNS = pa.schema(
    [
        ("file", pa.string()),
        ("reason", pa.string()),
        ("sentence", pa.string()),
        ("bytes", pa.int64()),
        ("mtime", pa.float64()),
    ]
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class FileFacts(_Frozen):
    bytes: int
    sha256: str


class Counts(_Frozen):
    images: int
    regions: int
    skipped: int


class Changes(_Frozen):
    """What a build did to the pictures of the generation before."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    kept: int = 0


class Version(_Frozen):
    """All that is sure of a manifest before it is known which version of the format it has."""

    format: int


def _ours(name: str) -> str:
    if not FILE.fullmatch(name):
        raise ValueError(f"no file of an index is called {name!r}")
    return name


class Manifest(Version):
    recipe: Recipe
    gallery: str
    """The folder it was built from."""
    created: datetime
    counts: Counts
    changes: Changes
    learned: int
    """How many pictures the whitening was learned from."""
    background: BackgroundScores
    """What images score that do not hold what is asked for."""
    note: str
    """A sentence for users of this index; empty when there is nothing to say."""
    files: dict[Annotated[str, AfterValidator(_ours)], FileFacts]


@dataclass(frozen=True, slots=True)
class Generation:
    """One complete build, read and checked."""

    folder: Path
    manifest: Manifest
    vectors: Vectors
    tables: Tables
    whitening: Whitening
    neighbours: Neighbours
    class_scores: ClassScores
    cells: Cells | None = None
    """Only of indexes that are large, or that were built to be searched by them."""


def generations(index_dir: Path) -> list[Path]:
    """The folders of all sealed generations, whole or not, in the order they were made."""
    found = [path for path in index_dir.glob("gen-*") if NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=_number)


def current_folder(index_dir: Path) -> Path:
    """The generation that CURRENT names. Raises IndexProblem when there is none."""
    try:
        name = (index_dir / "CURRENT").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise IndexProblem(
            f"There is no index in {index_dir} yet; boxfind build --gallery DIR --index DIR makes one."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise IndexProblem(f"The index in {index_dir} cannot be read: {error}.") from None
    if not NAME.fullmatch(name):
        raise IndexProblem(f"CURRENT in {index_dir} is damaged. {REBUILD}")
    return index_dir / name


def served_generation(index_dir: Path) -> tuple[Generation, str]:
    """The current generation; where it is damaged the last good one before it. And a sentence about the damage, or "".

    Raises IndexProblem when there is none to serve.
    """
    name = _current_name(index_dir)
    try:
        generation = open_generation(current_folder(index_dir))
    except IndexProblem as problem:
        if name != _current_name(index_dir):  # builds went by meanwhile, and took it away
            return served_generation(index_dir)
        return _last_good(index_dir, name, problem)
    sliced = {name: facts for name, facts in generation.manifest.files.items() if name.startswith(SLICED)}
    if any(_fault(generation.folder / name, facts, only_size=True) for name, facts in sliced.items()):
        return generation, "Thumbnails or details of some pictures are damaged; an update of the index repairs them."
    return generation, ""


def _last_good(index_dir: Path, current: str, problem: IndexProblem) -> tuple[Generation, str]:
    for folder in reversed([folder for folder in generations(index_dir) if folder.name != current]):
        try:
            generation = open_generation(folder)
        except IndexProblem:
            continue
        built = f"{generation.manifest.created.astimezone():%d %B %Y, %H:%M}"
        return generation, f"The newest index is damaged; the one of {built} is searched until it is built again."
    raise problem


def open_generation(folder: Path) -> Generation:
    """Reads a generation and checks all of it but the contents of thumbnails and keypoints. Raises IndexProblem."""
    manifest = read_manifest(folder)
    damaged = [
        f"{name} {fault}"
        for name, facts in manifest.files.items()
        if not name.startswith(SLICED) and (fault := _fault(folder / name, facts))
    ]
    if damaged:
        raise IndexProblem(f"The index {folder.name} is damaged: {'; '.join(damaged)}. {REBUILD}")
    rows, images = manifest.counts.regions, manifest.counts.images
    try:
        vectors, neighbours, class_scores = (
            read_vectors(folder, rows),
            read_neighbours(folder, rows),
            read_class_scores(folder, rows),
        )
        tables, whitening = read_tables(folder), read_whitening(folder)
        cells = read_cells(folder, rows, vectors.shape[1]) if "cells.npz" in manifest.files else None
    except (OSError, ValueError, KeyError, OverflowError, BadZipFile, pa.ArrowException) as error:
        raise IndexProblem(f"The index {folder.name} is damaged: {error}. {REBUILD}") from None
    if vectors.shape[1:] != whitening.projection.shape[1:]:
        raise IndexProblem(f"The index {folder.name} is damaged: vectors.npy does not fit its whitening. {REBUILD}")
    if not tables.files <= manifest.files.keys():
        raise IndexProblem(f"The index {folder.name} is damaged: thumbnails lie where none can be. {REBUILD}")
    if (len(tables.image_of_row), len(tables.ids)) != (rows, images):
        raise IndexProblem(f"The index {folder.name} is damaged: its tables have different lengths. {REBUILD}")
    return Generation(folder, manifest, vectors, tables, whitening, neighbours, class_scores, cells)


def read_manifest(folder: Path) -> Manifest:
    """Raises IndexProblem when it is missing, damaged, or of another version of the format."""
    try:
        written = (folder / "manifest.json").read_bytes()
        version = Version.model_validate_json(written).format
        if version == 4:
            return Manifest.model_validate(_upgraded_from_4(json.loads(written)))
        if version != FORMAT:
            raise IndexProblem(f"The index {folder.name} has format {version}, this program reads {FORMAT}. {REBUILD}")
        return Manifest.model_validate_json(written)
    except (OSError, ValidationError):
        raise IndexProblem(f"The index {folder.name} has no readable manifest. {REBUILD}") from None


def _upgraded_from_4(manifest: dict[str, Any]) -> dict[str, Any]:
    """The fields of a format 4 manifest under their present names; whether they are complete is checked afterwards."""
    recipe = manifest.get("recipe")
    if isinstance(recipe, dict):
        recipe = {RENAMED_SINCE_4.get(name, name): value for name, value in recipe.items()} | {"keypoints": None}
    return {**manifest, "format": FORMAT, "recipe": recipe, "background": manifest.get("null")}


def damaged_files(folder: Path, manifest: Manifest) -> dict[str, str]:
    """What is wrong with each file that is missing or not what was written, thumbnails and keypoints included."""
    return {name: fault for name in manifest.files if (fault := _fault(folder / name, manifest.files[name]))}


def check_files(folder: Path, manifest: Manifest) -> list[str]:
    """The same in sentences."""
    return [f"{name} {fault}" for name, fault in damaged_files(folder, manifest).items()]


def read_skipped(folder: Path) -> list[Skipped]:
    """The files that are not in the generation, and why."""
    return [Skipped(**row) for row in pq.read_table(folder / "skipped.parquet", schema=SKIPPED_COLUMNS).to_pylist()]


def write_skipped(folder: Path, skipped: list[Skipped]) -> None:
    rows = [{name: getattr(file, name) for name in SKIPPED_COLUMNS.names} for file in skipped]
    pq.write_table(pa.Table.from_pylist(rows, schema=SKIPPED_COLUMNS), folder / "skipped.parquet")


@contextmanager
def scratch_folder(index_dir: Path) -> Iterator[Path]:
    """A folder on the index's own disk to build in; gone afterwards unless it was published.

    Only call it while holding the build lock: what earlier, killed builds left is removed.
    """
    index_dir.mkdir(parents=True, exist_ok=True)
    for left in index_dir.glob("tmp-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = index_dir / f"tmp-{os.getpid()}-{secrets.token_hex(4)}"
    for name in SLICED:
        (folder / name).mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def no_preparation(folder: Path) -> None:
    """For generations that are searched on this machine."""


def publish(
    folder: Path, index_dir: Path, sealed: Manifest, before: Path | None = None, prepare: Prepare = no_preparation
) -> Path:
    """Seals a finished folder with its manifest, has it prepared and makes it the served generation.

    `sealed.files` names the files that are known already; the others are measured here. Of the earlier generations
    only `before` is kept, or the one that was current.
    """
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    files = {name: sealed.files.get(name) or _measured(folder / name) for name in names}
    manifest = sealed.model_copy(update={"files": files})
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    for name in (*names, "manifest.json", *SLICED, "."):
        sync(folder / name)
    keep = {before.name if before else _current_name(index_dir)}
    final = index_dir / f"gen-{_next_number(index_dir):06d}-{secrets.token_hex(2)}"
    folder.rename(final)
    try:
        prepare(final)
        point_current_at(index_dir, final.name)
    except BaseException:
        shutil.rmtree(final, ignore_errors=True)
        raise
    for old in generations(index_dir):
        if old.name not in keep | {final.name}:
            shutil.rmtree(old, ignore_errors=True)
    return final


def point_current_at(index_dir: Path, name: str) -> None:
    """Makes another generation the served one, at once and for good. Only call it while holding the build lock."""
    pointer = index_dir / "CURRENT.tmp"
    pointer.write_text(name + "\n", encoding="utf-8")
    sync(pointer)
    replace_file(pointer, index_dir / "CURRENT")
    sync(index_dir)


def new_manifest(**facts: object) -> Manifest:
    """Of a generation that is made now, in this version of the format."""
    return Manifest.model_validate({"format": FORMAT, "created": datetime.now(UTC), **facts})


def _current_name(index_dir: Path) -> str:
    try:
        return current_folder(index_dir).name
    except IndexProblem:
        return ""


def _number(folder: Path) -> int:
    found = NAME.fullmatch(folder.name)
    return int(found[1]) if found else 0


def _next_number(index_dir: Path) -> int:
    return max(map(_number, generations(index_dir)), default=0) + 1


def _measured(path: Path) -> FileFacts:
    return FileFacts(bytes=path.stat().st_size, sha256=file_sha256(path))


def _fault(path: Path, facts: FileFacts, only_size: bool = False) -> str:
    if not path.is_file():
        return "is missing"
    if path.stat().st_size != facts.bytes or (not only_size and file_sha256(path) != facts.sha256):
        return "is not what was written"
    return ""
