"""Rows of a table that lies on disk are asked for all at once, before they are read one by one."""

import mmap

import numpy as np

from retrieval.types import Rows, Vectors

# Without this each row that is not in memory waits for the disk by itself, and brings along many others nobody wants.
ADVICE = getattr(mmap, "MADV_WILLNEED", None)


class Prefetch:
    """For vectors (N, D) that are mapped from a file; for others, and where the system has no such thing, nothing."""

    def __init__(self, vectors: Vectors) -> None:
        owner: object = vectors
        while isinstance(owner, np.ndarray):
            owner = owner.base
        self._file = owner if isinstance(owner, mmap.mmap) and ADVICE is not None and vectors.size else None
        self._width = vectors.strides[0]
        if self._file is not None:
            self._start = vectors.ctypes.data - np.frombuffer(self._file, np.uint8).ctypes.data

    def __call__(self, rows: Rows) -> None:
        """The system begins to fetch these rows; returns at once."""
        if self._file is None or ADVICE is None:
            return
        for start in (self._start + rows * self._width).tolist():
            before = start % mmap.PAGESIZE
            self._file.madvise(ADVICE, start - before, before + self._width)
