"""The vectors in 8 bits, sorted by IVF cell: made by a build, mapped into memory from its file by searches."""

import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.storage.arrays import Cells
from index.storage.hashed_file import HashedFile
from index.storage.manifest import FileFacts
from retrieval.types import Vectors

SAMPLE = 20_000
"""Vectors used to train the quantiser's range per dimension."""
CHUNK = 65_536
MAPPED = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY

log = logging.getLogger(__name__)


def make_inverted_file(vectors: Vectors, cells: Cells) -> faiss.IndexIVFScalarQuantizer:
    """Quantise vectors (N, D), which may be memory-mapped, and sort them into their cells, in memory."""
    count, dimensions = cells.centroids.shape
    quantizer = faiss.IndexFlatIP(dimensions)
    quantizer.add(cells.centroids)
    eight_bits, inner = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexIVFScalarQuantizer(quantizer, dimensions, count, eight_bits, inner, False)
    index.train(vectors[:: -(-len(vectors) // SAMPLE)])
    lists: Any = index.invlists
    for cell, size in enumerate(np.bincount(cells.of_row, minlength=count).tolist()):
        lists.resize(cell, size)  # reserve memory: growing step by step takes up to twice as much
        lists.resize(cell, 0)
    for start in range(0, len(vectors), CHUNK):
        chunk = np.ascontiguousarray(vectors[start : start + CHUNK])
        of_row = cells.of_row[start : start + CHUNK].astype(np.int64)
        index.add_core(len(chunk), faiss.swig_ptr(chunk), None, faiss.swig_ptr(of_row))
    return index


def write_inverted_file(path: Path, vectors: Vectors, cells: Cells) -> dict[str, FileFacts]:
    """Make the inverted file of vectors (N, D) and write it. Its name, size and hash. Raises OSError."""
    with closing(HashedFile(path)) as file:
        writer: Any = faiss.PyCallbackIOWriter(file.write)  # type: ignore[attr-defined]  # missing in its stubs
        faiss.write_index(make_inverted_file(vectors, cells), writer)
        return {path.name: file.facts}


def open_inverted_file(vectors: Vectors, cells: Cells) -> faiss.Index:
    """Map the file of the cells into memory; make it in memory if there is none or this machine cannot use it."""
    if cells.inverted_file is None:
        return make_inverted_file(vectors, cells)
    try:
        index = faiss.read_index(str(cells.inverted_file), MAPPED)
        if _fits(index, vectors, cells):
            return index
        problem = "it does not match the vectors"
    except RuntimeError as error:  # also where FAISS cannot map files, as on Windows
        problem = str(error)
    log.warning("%s is not used, so opening the index takes longer: %s", cells.inverted_file, problem)
    return make_inverted_file(vectors, cells)


def _fits(index: faiss.Index, vectors: Vectors, cells: Cells) -> bool:
    """Whether each cell has as many entries as vectors, so that no search reads beyond a cell."""
    if not isinstance(index, faiss.IndexIVFScalarQuantizer) or (index.ntotal, index.d) != vectors.shape:
        return False
    lists: Any = index.invlists
    sizes = np.bincount(cells.of_row, minlength=len(cells.centroids))
    return index.nlist == len(sizes) and [lists.list_size(cell) for cell in range(index.nlist)] == sizes.tolist()
