"""Exact dot products of keypoint descriptors."""

import threading
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from retrieval.networks.byte_products import MOST, start_byte_products

Multiply = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]

_WIDTH = 128
_memory, _starting = threading.local(), threading.Lock()


def dot_products(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The products of descriptors (K, 128) and (L, 128), (K, L), which may be changed until the next call in a thread.

    Values above MOST, which RootSIFT of photographs does not have, count as MOST. The products are whole numbers below
    2**24, exact in float32, so they do not depend on the processor.
    """
    return prepare()(np.minimum(one, MOST), np.minimum(other, MOST))


def prepare() -> Multiply:
    """Compile what multiplies, at the first call, which takes some tenths of a second."""
    with _starting:  # several threads may be the first
        return _multiply()


@cache
def _multiply() -> Multiply:
    return start_byte_products(_WIDTH) or _multiply_floats


def _multiply_floats(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    a, b = one.astype(np.float32), other.astype(np.float32)
    return np.matmul(a, b.T, out=_scratch(len(a), len(b)))


def _scratch(rows: int, columns: int) -> NDArray[np.float32]:
    """An array of this thread with any finite content, used again at the next call, which saves memory traffic.

    BLAS may multiply what is there by 0, and NumPy warns if that is infinite or not a number.
    """
    if len(getattr(_memory, "array", ())) < rows * columns:
        _memory.array = np.zeros(rows * columns, np.float32)
    return np.asarray(_memory.array[: rows * columns].reshape(rows, columns))
