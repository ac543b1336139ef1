"""Galleries of any size that look like a real one: its region vectors, each many times and each time a little off."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from retrieval.types import Vectors, unit

NOISE = 0.5
"""Length of what is added to a vector before it is made a unit vector again: their cosine is about 0.89 then."""
CHUNK = 65_536
SEED = 7


def near(vectors: Vectors, count: int, seed: int) -> Vectors:
    """unit(v + noise) for vectors v drawn from those given, (N, D) -> (count, D)."""
    rng = np.random.default_rng([SEED, seed])
    noise = rng.standard_normal((count, vectors.shape[1]), np.float32)
    noise *= NOISE / np.sqrt(np.float32(vectors.shape[1]))
    return unit(vectors[rng.integers(0, len(vectors), count)] + noise)


def write_table(vectors: Vectors, count: int, path: Path) -> None:
    """So many of them as a .npy file, a chunk at a time: the first N of it are a gallery of N."""
    edges = [*range(0, count, CHUNK), count]
    sizes = [stop - start for start, stop in pairwise(edges)]
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, vectors.shape[1])}
    with path.open("wb") as file, ThreadPoolExecutor(2) as threads:
        np.lib.format.write_array_header_1_0(file, header)
        for first in range(0, len(sizes), 8):  # few at a time, so that they do not pile up in memory
            part = sizes[first : first + 8]
            for chunk in threads.map(lambda size, seed: near(vectors, size, seed), part, range(first, first + 8)):
                chunk.tofile(file)
