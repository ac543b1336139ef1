"""Write and read the arrays of a generation: vectors, class scores, whitening, neighbours, cells. No pickle."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from index.storage.hashed_file import RowsFile
from retrieval.descriptors.whitening import Whitening
from retrieval.ranking.diffusion import Neighbours
from retrieval.types import ClassScores, Vectors

CLASSES = 1000
"""Number of ImageNet classes."""
INVERTED_FILE = "cells.faiss"
MOST_SIMILAR = 1.001
"""Upper limit of the cosine of two unit vectors, with a margin for rounding."""


@dataclass(frozen=True, slots=True)
class Cells:
    """IVF cells: each vector belongs to the cell with the most similar centroid."""

    centroids: Vectors
    """(C, D), unit length."""
    of_row: NDArray[np.uint16]
    """(N,), the cell of each vector row."""
    probes: int
    """Number of cells a search for the ten nearest rows probes."""
    learned: int
    """Number of vectors when the centroids were trained."""
    inverted_file: Path | None = None
    """The file of the vectors sorted by cell (`index/stores/inverted_file.py`); None in indexes of older versions."""


def new_vectors(folder: Path, rows: int, dimensions: int) -> RowsFile:
    """Create vectors.npy, (rows, dimensions) float32."""
    return RowsFile(folder / "vectors.npy", np.float32, rows, dimensions)


def new_classes(folder: Path, rows: int, top: int) -> RowsFile:
    """Create classes.npy, (rows, top) int16."""
    return RowsFile(folder / "classes.npy", np.int16, rows, top)


def new_shares(folder: Path, rows: int, top: int) -> RowsFile:
    """Create shares.npy, (rows, top) float16."""
    return RowsFile(folder / "shares.npy", np.float16, rows, top)


def read_vectors(folder: Path, rows: int) -> Vectors:
    """Memory-map vectors.npy -> (N, D) float32, read-only. Raises ValueError if the file is invalid."""
    return _read_rows(folder / "vectors.npy", rows, np.dtype(np.float32))


def read_class_scores(folder: Path, rows: int) -> ClassScores:
    """Memory-map the class scores, read-only. Raises ValueError if the files are invalid or a class is out of range."""
    classes = _read_rows(folder / "classes.npy", rows, np.dtype(np.int16))
    shares = _read_rows(folder / "shares.npy", rows, np.dtype(np.float16))
    if classes.shape != shares.shape or (classes.size and not 0 <= classes.min() <= classes.max() < CLASSES):
        raise ValueError("classes.npy and shares.npy are inconsistent")
    return ClassScores(classes, shares)


def write_whitening(folder: Path, whitening: Whitening) -> None:
    kind, projection = np.array(whitening.kind), np.ascontiguousarray(whitening.projection)
    np.savez(folder / "whitening.npz", kind=kind, mean=whitening.mean, projection=projection)


def read_whitening(folder: Path) -> Whitening:
    """Raises ValueError if the arrays are inconsistent."""
    arrays = _read_npz(folder / "whitening.npz")
    whitening = Whitening(str(arrays["kind"]), arrays["mean"], arrays["projection"])
    if whitening.mean.ndim != 1 or whitening.projection.shape[:1] != whitening.mean.shape:
        raise ValueError("whitening.npz is inconsistent")
    return whitening


def write_neighbours(folder: Path, neighbours: Neighbours) -> None:
    nearest = neighbours.nearest.astype(np.int32)
    np.savez(folder / "neighbours.npz", nodes=neighbours.nodes, nearest=nearest, similarities=neighbours.similarities)


def read_neighbours(folder: Path, rows: int) -> Neighbours:
    """Raises ValueError if the arrays do not match `rows` vectors: a wrong row number would read foreign memory."""
    arrays = _read_npz(folder / "neighbours.npz")
    nodes, nearest, similarities = (arrays[name] for name in ("nodes", "nearest", "similarities"))
    fits = [array.dtype for array in (nodes, nearest, similarities)] == [np.int64, np.int32, np.float32]
    fits = fits and nodes.ndim == 1 and nearest.ndim == 2 and len(nearest) == len(nodes)
    if not fits or similarities.shape != nearest.shape or not (np.abs(similarities) < MOST_SIMILAR).all():
        raise ValueError("neighbours.npz is inconsistent")
    if np.any(np.diff(nodes, prepend=-1, append=rows) <= 0) or not ((nearest >= 0) & (nearest < len(nodes))).all():
        raise ValueError("neighbours.npz does not match the vectors")
    return Neighbours(nodes, nearest.astype(np.int64), similarities)


def write_cells(folder: Path, cells: Cells) -> None:
    np.savez(
        folder / "cells.npz",
        centroids=np.ascontiguousarray(cells.centroids),
        of_row=cells.of_row,
        probes=np.array(cells.probes, np.int64),
        learned=np.array(cells.learned, np.int64),
    )


def read_cells(folder: Path, rows: int, dimensions: int, inverted: bool = False) -> Cells:
    """`inverted`: the generation has an inverted file, too, which is not read here.

    Raises ValueError if the arrays do not match `rows` vectors: a wrong cell number would read foreign memory."""
    arrays = _read_npz(folder / "cells.npz")
    centroids, of_row, probes, learned = (arrays[name] for name in ("centroids", "of_row", "probes", "learned"))
    fits = centroids.dtype == np.float32 and centroids.shape[1:] == (dimensions,) and np.isfinite(centroids).all()
    fits = fits and of_row.dtype == np.uint16 and of_row.shape == (rows,)
    if not fits or of_row.max() >= len(centroids):
        raise ValueError("cells.npz does not match the vectors")
    fits = all(number.dtype == np.int64 and number.shape == () for number in (probes, learned))
    if not fits or not 1 <= probes <= len(centroids) or learned < 1:
        raise ValueError("cells.npz is inconsistent")
    return Cells(centroids, of_row, int(probes), int(learned), folder / INVERTED_FILE if inverted else None)


def _read_rows(path: Path, rows: int, wanted: np.dtype[Any]) -> NDArray[Any]:
    """Memory-map a two-dimensional .npy file. Raises ValueError for another shape, dtype or file size."""
    with path.open("rb") as file:
        shape, dtype = _read_header(file, path.name)
        start = file.tell()
    size = start + dtype.itemsize * math.prod(shape)
    if dtype != wanted or len(shape) != 2 or shape[0] != rows or path.stat().st_size != size:
        raise ValueError(f"{path.name} does not match the manifest")
    return np.asarray(np.memmap(path, dtype, "r", start, shape))


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read an .npz file -> arrays by name. Raises ValueError if a declared size exceeds the bytes in the file."""
    with ZipFile(path) as archive:
        return {Path(info.filename).stem: _read_member(archive, info, path) for info in archive.infolist()}


def _read_member(archive: ZipFile, info: ZipInfo, path: Path) -> NDArray[Any]:
    if info.compress_type != ZIP_STORED or info.file_size > path.stat().st_size:
        raise ValueError(f"{path.name} is not in the expected format")
    with archive.open(info) as member:
        shape, dtype = _read_header(member, path.name)
        data = member.read()
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{path.name} is not in the expected format")
    return np.frombuffer(data, dtype).reshape(shape)


def _read_header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the shape and dtype of an .npy file. Raises ValueError for unsupported formats."""
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{name} is not in the expected format")
    shape, columns_first, dtype = np.lib.format.read_array_header_1_0(file)
    if columns_first or dtype.hasobject:
        raise ValueError(f"{name} is not in the expected format")
    return shape, dtype
