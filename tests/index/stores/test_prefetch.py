"""The prefetched range covers the rows, whatever the array's offset in its file."""

import mmap
from pathlib import Path

import numpy as np
import pytest

from index.stores.prefetch import ADVICE, Prefetch

pytestmark = pytest.mark.skipif(ADVICE is None, reason="this system has nothing to be advised of")


@pytest.fixture
def table(tmp_path: Path) -> np.ndarray:
    np.save(tmp_path / "vectors.npy", np.random.default_rng(0).random((2000, 24), np.float32))
    return np.asarray(np.load(tmp_path / "vectors.npy", mmap_mode="r"))


@pytest.mark.parametrize("part", [slice(None), slice(7, None), slice(500, 1500)])
def test_the_bytes_of_each_row_are_prefetched(table, part, tmp_path: Path):
    data, asked = (tmp_path / "vectors.npy").read_bytes(), []

    class Recorder:
        def madvise(self, advice: int, start: int, length: int) -> None:
            assert advice == mmap.MADV_WILLNEED and start % mmap.PAGESIZE == 0
            asked.append(data[start : start + length])

    ahead, rows = Prefetch(table[part]), np.array([0, 3, 3, 170, 999])
    ahead._file = Recorder()
    ahead(rows)
    assert [piece.endswith(table[part][row].tobytes()) for piece, row in zip(asked, rows, strict=True)] == [True] * 5
    assert max(map(len, asked)) < mmap.PAGESIZE + 24 * 4


def test_madvise_accepts_the_range(table):
    ahead = Prefetch(table)
    assert ahead._file is not None
    ahead(np.arange(2000))


def test_vectors_in_memory_are_not_prefetched():
    for vectors in (np.ones((5, 4), np.float32), np.ones((0, 4), np.float32)):
        ahead = Prefetch(vectors)
        assert ahead._file is None
        ahead(np.arange(len(vectors)))
