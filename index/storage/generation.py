"""The index on disk: immutable, checksummed generations, and CURRENT, which names the served one.

INDEX_DIR/
  CURRENT                  name of the served generation, replaced atomically
  gen-000007-3f9c/
    vectors.npy            (N, D) float32
    regions.parquet        vector row -> image, box, kind, and score and label from its detector
    classes.npy shares.npy (N, T) int16, float16: the most probable classes of each region, their probabilities
    images.parquet         image -> file, size, mtime, sha256, location of thumbnail and keypoints
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
"""Called with a complete generation before it is served; raises to prevent that."""
FORMAT = 5
RENAMED_SINCE_4 = {"fine": "mid_layer_weight", "distinct": "dedup_similarity", "finders": "detectors"}
"""Recipe fields renamed since format 4, which also lacks `keypoints` and calls the background scores `null`."""
SLICED = ("thumbs", "keypoints")
"""Folders of blob files, read in slices. Their contents are checked by verify and build, not on opening."""
NAME = re.compile(r"gen-(\d{6,})-[0-9a-f]{4}")
FILE = re.compile(r"[a-z]+\.(npy|npz|parquet)|(thumbs|keypoints)/\d{4,}\.(jpgs|bin)")
REBUILD = "Rebuild it: boxfind build --gallery DIR --index DIR."
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
    """Number of pictures a build added, changed, removed and kept."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    kept: int = 0


class Version(_Frozen):
    """The field every manifest has, whatever the version of its format."""

    format: int


def _ours(name: str) -> str:
    if not FILE.fullmatch(name):
        raise ValueError(f"{name!r} is not a file name of an index")
    return name


class Manifest(Version):
    recipe: Recipe
    gallery: str
    """The folder that was indexed."""
    created: datetime
    counts: Counts
    changes: Changes
    learned: int
    """Number of pictures the whitening was learned from; 0 if it came with the weights."""
    background: BackgroundScores
    """Score distribution of images that do not contain the query object."""
    note: str
    """A sentence for users of this index; may be empty."""
    files: dict[Annotated[str, AfterValidator(_ours)], FileFacts]


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
    return sorted(found, key=_number)


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


def served_generation(index_dir: Path) -> tuple[Generation, str]:
    """The current generation, or the newest intact one if it is damaged; and a sentence about the damage, or "".

    Raises IndexProblem if no generation can be served.
    """
    name = _current_name(index_dir)
    try:
        generation = open_generation(current_folder(index_dir))
    except IndexProblem as problem:
        if name != _current_name(index_dir):  # a build has replaced it meanwhile
            return served_generation(index_dir)
        return _last_good(index_dir, name, problem)
    sliced = {name: facts for name, facts in generation.manifest.files.items() if name.startswith(SLICED)}
    if any(_fault(generation.folder / name, facts, only_size=True) for name, facts in sliced.items()):
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
        raise IndexProblem(f"The index {folder.name} is damaged: vectors.npy does not match its whitening. {REBUILD}")
    if not tables.files <= manifest.files.keys():
        raise IndexProblem(f"The index {folder.name} is damaged: images.parquet names unknown files. {REBUILD}")
    if (len(tables.image_of_row), len(tables.ids)) != (rows, images):
        raise IndexProblem(f"The index {folder.name} is damaged: its tables have different lengths. {REBUILD}")
    return Generation(folder, manifest, vectors, tables, whitening, neighbours, class_scores, cells)


def read_manifest(folder: Path) -> Manifest:
    """Raises IndexProblem if the manifest is missing, damaged or in an unsupported format."""
    try:
        written = (folder / "manifest.json").read_bytes()
        version = Version.model_validate_json(written).format
        if version == 4:
            return Manifest.model_validate(_upgraded_from_4(json.loads(written)))
        if version != FORMAT:
            raise IndexProblem(
                f"The index {folder.name} has format {version}, but this program reads format {FORMAT}. {REBUILD}"
            )
        return Manifest.model_validate_json(written)
    except (OSError, ValidationError):
        raise IndexProblem(f"The index {folder.name} has no readable manifest. {REBUILD}") from None


def _upgraded_from_4(manifest: dict[str, Any]) -> dict[str, Any]:
    """Rename the fields of a format 4 manifest. The caller validates them."""
    recipe = manifest.get("recipe")
    if isinstance(recipe, dict):
        recipe = {RENAMED_SINCE_4.get(name, name): value for name, value in recipe.items()} | {"keypoints": None}
    return {**manifest, "format": FORMAT, "recipe": recipe, "background": manifest.get("null")}


def damaged_files(folder: Path, manifest: Manifest) -> dict[str, str]:
    """File name -> fault, for each file that is missing or altered. Reads every byte, blob files included."""
    return {name: fault for name in manifest.files if (fault := _fault(folder / name, manifest.files[name]))}


def check_files(folder: Path, manifest: Manifest) -> list[str]:
    """damaged_files, as one line per file."""
    return [f"{name} {fault}" for name, fault in damaged_files(folder, manifest).items()]


def read_skipped(folder: Path) -> list[Skipped]:
    """The files that were not indexed, and why."""
    return [Skipped(**row) for row in pq.read_table(folder / "skipped.parquet", schema=SKIPPED_COLUMNS).to_pylist()]


def write_skipped(folder: Path, skipped: list[Skipped]) -> None:
    rows = [{name: getattr(file, name) for name in SKIPPED_COLUMNS.names} for file in skipped]
    pq.write_table(pa.Table.from_pylist(rows, schema=SKIPPED_COLUMNS), folder / "skipped.parquet")


@contextmanager
def scratch_folder(index_dir: Path) -> Iterator[Path]:
    """A temporary folder on the index's disk, removed afterwards unless it was published.

    Call it only while holding the build lock: it removes the folders of killed builds.
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
    """Prepare nothing: the generation is searched locally."""


def publish(
    folder: Path, index_dir: Path, sealed: Manifest, before: Path | None = None, prepare: Prepare = no_preparation
) -> Path:
    """Write the manifest of a finished folder, prepare it, serve it, and return its final path.

    `sealed.files` has the facts of files with a known hash; the others are hashed here. All earlier generations are
    deleted but one: `before`, or else the current one.
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
    """Serve another generation: replace CURRENT atomically and sync it. Call it only while holding the build lock."""
    pointer = index_dir / "CURRENT.tmp"
    pointer.write_text(name + "\n", encoding="utf-8")
    sync(pointer)
    replace_file(pointer, index_dir / "CURRENT")
    sync(index_dir)


def new_manifest(**facts: object) -> Manifest:
    """A manifest in the current format, created now."""
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
        return "differs from what was written"
    return ""
