"""Prefetch rows of a memory-mapped array with madvise(MADV_WILLNEED)."""

import mmap

import numpy as np

from retrieval.types import Rows, Vectors

# Without it each page fault waits for the disk on its own, and readahead loads rows that are not needed.
ADVICE = getattr(mmap, "MADV_WILLNEED", None)


class Prefetch:
    """Prefetches rows of vectors (N, D). Does nothing if they are not memory-mapped or the system lacks madvise."""

    def __init__(self, vectors: Vectors) -> None:
        owner: object = vectors
        while isinstance(owner, np.ndarray):
            owner = owner.base
        self._file = owner if isinstance(owner, mmap.mmap) and ADVICE is not None and vectors.size else None
        self._width = vectors.strides[0]
        if self._file is not None:
            self._start = vectors.ctypes.data - np.frombuffer(self._file, np.uint8).ctypes.data

    def __call__(self, rows: Rows) -> None:
        """Start loading rows (R,) in the background."""
        if self._file is None or ADVICE is None:
            return
        for start in (self._start + rows * self._width).tolist():
            before = start % mmap.PAGESIZE
            self._file.madvise(ADVICE, start - before, before + self._width)
