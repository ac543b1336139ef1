"""Synthetic galleries of any size: real region vectors, replicated with noise."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from retrieval.types import Vectors, unit

NOISE = 0.5
"""Length of the noise added to a unit vector; the normalised sum has a cosine of about 0.89 with it."""
CHUNK = 65_536
SEED = 7


def near(vectors: Vectors, count: int, seed: int) -> Vectors:
    """unit(v + noise) for random rows v of vectors, (N, D) -> (count, D)."""
    rng = np.random.default_rng([SEED, seed])
    noise = rng.standard_normal((count, vectors.shape[1]), np.float32)
    noise *= NOISE / np.sqrt(np.float32(vectors.shape[1]))
    return unit(vectors[rng.integers(0, len(vectors), count)] + noise)


def write_table(vectors: Vectors, count: int, path: Path) -> None:
    """Write `count` vectors to a .npy file in chunks. Its first N rows are a gallery of N vectors."""
    edges = [*range(0, count, CHUNK), count]
    sizes = [stop - start for start, stop in pairwise(edges)]
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, vectors.shape[1])}
    with path.open("wb") as file, ThreadPoolExecutor(2) as threads:
        np.lib.format.write_array_header_1_0(file, header)
        for first in range(0, len(sizes), 8):  # a few chunks at a time, to limit memory
            part = sizes[first : first + 8]
            for chunk in threads.map(lambda size, seed: near(vectors, size, seed), part, range(first, first + 8)):
                chunk.tofile(file)
