"""Files are hashed while they are written, and are what NumPy would write."""

import io
from pathlib import Path

import numpy as np
import pytest

from index.storage.hashed_file import HashedFile, RowsFile
from index.storage.manifest import file_faults


def test_the_hash_is_that_of_the_file(tmp_path: Path):
    file = HashedFile(tmp_path / "0000.bin")
    assert [(file.tell(), file.write(part)) for part in (b"one", b"", b"three")] == [(0, 3), (3, 0), (3, 5)]
    file.close()
    assert (tmp_path / "0000.bin").read_bytes() == b"onethree"
    assert file_faults(tmp_path, {"0000.bin": file.facts}) == {}
    (tmp_path / "0000.bin").write_bytes(b"oneThree")
    assert file_faults(tmp_path, {"0000.bin": file.facts}) != {}


def test_a_file_that_exists_is_not_replaced(tmp_path: Path):
    (tmp_path / "0000.bin").write_bytes(b"kept")
    with pytest.raises(FileExistsError):
        HashedFile(tmp_path / "0000.bin")


@pytest.mark.parametrize("counts", [[], [3], [1, 4, 0, 2]])
@pytest.mark.parametrize(("dtype", "columns"), [(np.float32, 5), (np.int16, 0)])
def test_rows_are_an_npy_file(tmp_path: Path, counts, dtype, columns):
    rows = np.random.default_rng(0).normal(size=(sum(counts), columns)).astype(dtype)
    with RowsFile(tmp_path / "vectors.npy", dtype, len(rows), columns) as file:
        for part in np.split(rows, np.cumsum(counts)[:-1] if counts else []):
            file.add(np.asfortranarray(part))
    saved = io.BytesIO()
    np.save(saved, rows)
    assert (tmp_path / "vectors.npy").read_bytes() == saved.getvalue()
    assert file_faults(tmp_path, file.facts) == {}


def test_missing_rows_are_a_fault_of_the_program(tmp_path: Path):
    with pytest.raises(AssertionError, match="lacks rows"), RowsFile(tmp_path / "a.npy", np.float32, 2, 1) as file:
        file.add(np.zeros((1, 1)))
