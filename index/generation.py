"""The index on disk: complete, checksummed generations that are never edited, and CURRENT, which names the one served.

INDEX_DIR/
  CURRENT                  name of the served generation, replaced atomically
  gen-000007-3f9c/
    vectors.npy            (N, D) float32
    regions.parquet        vector row -> image, box, kind
    images.parquet         image -> file, size, time, sha256, where its thumbnail lies
    skipped.parquet        file -> reason code and sentence
    whitening.npz          kind, mean (C,), projection (C, D)
    graph.npz              which regions are each other's nearest: nodes and the affinity matrix in CSR form
    thumbs/0000.jpgs …     JPEG thumbnails one after the other, many to a file
    keypoints/0000.bin …   keypoints for geometric verification, the same way
    manifest.json          format, recipe, counts, null distribution, sha256 of every other file; written last
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy import sparse

from index.catalogue import Catalogue, read_catalogue
from index.folder import Skipped
from retrieval.confidence import Null
from retrieval.diffusion import Graph
from retrieval.errors import IndexProblem
from retrieval.recipe import Recipe
from retrieval.types import Vectors
from retrieval.weights import file_sha256
from retrieval.whitening import Whitening

FORMAT = 2
KEPT = 2
SLICED = ("thumbs", "keypoints")
"""Folders of files that are read a slice at a time; their contents are checked by verify, not on opening."""
REBUILD = "Build it again: python cli.py build --gallery DIR --index DIR."
SKIPPED_COLUMNS = pa.schema([("file", pa.string()), ("reason", pa.string()), ("sentence", pa.string())])


class FileFacts(BaseModel):
    model_config = ConfigDict(frozen=True)
    bytes: int
    sha256: str


class Counts(BaseModel):
    model_config = ConfigDict(frozen=True)
    images: int
    regions: int
    skipped: int


class Version(BaseModel):
    """All that is sure of a manifest before it is known which version of the format it has."""

    model_config = ConfigDict(frozen=True)
    format: int


class Manifest(Version):
    recipe: Recipe
    gallery: str
    """The folder it was built from."""
    created: datetime
    counts: Counts
    null: Null
    """What images score that do not hold what is asked for."""
    note: str
    """A sentence for users of this index; empty when there is nothing to say."""
    files: dict[str, FileFacts]


@dataclass(frozen=True, slots=True)
class Generation:
    """One complete build, read and checked."""

    folder: Path
    manifest: Manifest
    vectors: Vectors
    catalogue: Catalogue
    whitening: Whitening
    graph: Graph


def current_folder(index_dir: Path) -> Path:
    """The generation that is served. Raises IndexProblem when there is none."""
    try:
        name = (index_dir / "CURRENT").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise IndexProblem(
            f"There is no index in {index_dir} yet; python cli.py build --gallery DIR --index DIR makes one."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise IndexProblem(f"The index in {index_dir} cannot be read: {error}.") from None
    if not re.fullmatch(r"gen-[0-9a-z-]+", name):
        raise IndexProblem(f"CURRENT in {index_dir} is damaged. {REBUILD}")
    return index_dir / name


def open_generation(folder: Path) -> Generation:
    """Reads a generation and checks all of it but the contents of thumbnails and keypoints. Raises IndexProblem."""
    manifest = read_manifest(folder)
    damaged = [
        fault for name in manifest.files if not name.startswith(SLICED) for fault in _faults(folder, name, manifest)
    ]
    if damaged:
        raise IndexProblem(f"The index {folder.name} is damaged: {'; '.join(damaged)}. {REBUILD}")
    try:
        vectors = np.load(folder / "vectors.npy", allow_pickle=False)
        catalogue = read_catalogue(folder)
        generation = Generation(
            folder, manifest, vectors, catalogue, read_whitening(folder), _read_graph(folder, len(vectors))
        )
    except (OSError, EOFError, ValueError, KeyError, BadZipFile, pa.ArrowException) as error:
        raise IndexProblem(f"The index {folder.name} is damaged: {error}. {REBUILD}") from None
    if vectors.dtype != np.float32 or vectors.shape[1:] != generation.whitening.projection.shape[1:]:
        raise IndexProblem(f"The index {folder.name} is damaged: vectors.npy does not fit its whitening. {REBUILD}")
    rows, images = len(catalogue.image_of_row), len(catalogue.ids)
    if (len(vectors), rows, images) != (manifest.counts.regions, manifest.counts.regions, manifest.counts.images):
        raise IndexProblem(f"The index {folder.name} is damaged: its tables have different lengths. {REBUILD}")
    return generation


def read_manifest(folder: Path) -> Manifest:
    """Raises IndexProblem when it is missing, damaged, or of another version of the format."""
    try:
        written = (folder / "manifest.json").read_bytes()
        version = Version.model_validate_json(written).format
        if version != FORMAT:
            raise IndexProblem(f"The index {folder.name} has format {version}, this program reads {FORMAT}. {REBUILD}")
        return Manifest.model_validate_json(written)
    except (OSError, ValidationError):
        raise IndexProblem(f"The index {folder.name} has no readable manifest. {REBUILD}") from None


def check_files(folder: Path, manifest: Manifest) -> list[str]:
    """A sentence for each file that is missing or is not what was written, thumbnails and keypoints included."""
    return [fault for name in manifest.files for fault in _faults(folder, name, manifest)]


def read_skipped(folder: Path) -> list[Skipped]:
    """The files that are not in the generation, and why."""
    return [Skipped(**row) for row in pq.read_table(folder / "skipped.parquet", schema=SKIPPED_COLUMNS).to_pylist()]


def write_skipped(folder: Path, skipped: list[Skipped]) -> None:
    rows = [{"file": s.file, "reason": s.reason, "sentence": s.sentence} for s in skipped]
    pq.write_table(pa.Table.from_pylist(rows, schema=SKIPPED_COLUMNS), folder / "skipped.parquet")


def write_whitening(folder: Path, whitening: Whitening) -> None:
    np.savez(
        folder / "whitening.npz",
        kind=np.array(whitening.kind),
        mean=whitening.mean,
        projection=whitening.projection,
    )


def read_whitening(folder: Path) -> Whitening:
    """How the generation's vectors were whitened."""
    with (folder / "whitening.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Whitening(str(arrays["kind"]), arrays["mean"], arrays["projection"])


def write_graph(folder: Path, graph: Graph) -> None:
    affinity = graph.affinity
    np.savez(
        folder / "graph.npz",
        nodes=graph.nodes,
        weights=affinity.data,
        columns=affinity.indices,
        starts=affinity.indptr,
    )


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


def publish(
    folder: Path, index_dir: Path, recipe: Recipe, gallery: Path, counts: Counts, null: Null, note: str = ""
) -> Path:
    """Seals a finished folder with its manifest and makes it the served generation; the last two are kept."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    manifest = Manifest(
        format=FORMAT,
        recipe=recipe,
        gallery=str(gallery),
        created=datetime.now(UTC),
        counts=counts,
        null=null,
        note=note,
        files={
            name: FileFacts(bytes=(folder / name).stat().st_size, sha256=file_sha256(folder / name)) for name in names
        },
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    for path in (
        *(folder / name for name in names),
        folder / "manifest.json",
        *(folder / name for name in SLICED),
        folder,
    ):
        _sync(path)
    final = index_dir / f"gen-{_next_number(index_dir):06d}-{secrets.token_hex(2)}"
    folder.rename(final)
    _point_current_at(index_dir, final.name)
    for old in _generations(index_dir)[:-KEPT]:
        if old != final:
            shutil.rmtree(old, ignore_errors=True)
    return final


def _point_current_at(index_dir: Path, name: str) -> None:
    pointer = index_dir / "CURRENT.tmp"
    pointer.write_text(name + "\n", encoding="utf-8")
    _sync(pointer)
    os.replace(pointer, index_dir / "CURRENT")
    _sync(index_dir)


def _generations(index_dir: Path) -> list[Path]:
    return sorted(p for p in index_dir.glob("gen-*") if p.is_dir())


def _next_number(index_dir: Path) -> int:
    numbers = [p.name.split("-")[1] for p in _generations(index_dir)]
    return max((int(n) for n in numbers if n.isdigit()), default=0) + 1


def _faults(folder: Path, name: str, manifest: Manifest) -> list[str]:
    path, facts = folder / name, manifest.files[name]
    if not path.is_file():
        return [f"{name} is missing"]
    if path.stat().st_size != facts.bytes or file_sha256(path) != facts.sha256:
        return [f"{name} is not what was written"]
    return []


def _read_graph(folder: Path, regions: int) -> Graph:
    with (folder / "graph.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        nodes, weights = arrays["nodes"], arrays["weights"]
        affinity = sparse.csr_array((weights, arrays["columns"], arrays["starts"]), shape=(len(nodes), len(nodes)))
    affinity.check_format(full_check=True)  # scipy looks at columns only when asked to
    fits = nodes.ndim == 1 and nodes.dtype == np.int64 and weights.dtype == np.float32
    if not fits or np.any(np.diff(nodes, prepend=-1, append=regions) <= 0) or not np.isfinite(weights).all():
        raise ValueError("graph.npz does not fit the vectors")
    return Graph(nodes, affinity)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
