"""Write files in order and hash what is written, so that a new generation is not read again to hash it."""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from index.storage.manifest import FileFacts


class HashedFile:
    """A new binary file that knows its size and SHA-256. It can only be appended to."""

    def __init__(self, path: Path) -> None:
        self._file, self._hash, self._bytes = path.open("xb"), hashlib.sha256(), 0

    def write(self, data: bytes | memoryview) -> int:
        self._hash.update(data)
        self._bytes += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self._bytes

    def close(self) -> None:
        self._file.close()

    @property
    def facts(self) -> FileFacts:
        """Size and hash of what has been written until now."""
        return FileFacts(bytes=self._bytes, sha256=self._hash.hexdigest())


class RowsFile:
    """A new .npy file (rows, columns) that is written from the first row to the last."""

    def __init__(self, path: Path, dtype: type[np.generic], rows: int, columns: int) -> None:
        self._path, self._dtype, self._shape, self._written = path, np.dtype(dtype), (rows, columns), 0
        self._file = HashedFile(path)
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": self._shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def add(self, rows: NDArray[Any]) -> None:
        """Append rows (R, columns)."""
        assert rows.shape[1:] == self._shape[1:], rows.shape
        self._file.write(np.ascontiguousarray(rows, self._dtype).tobytes())
        self._written += len(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        assert error or self._written == self._shape[0], f"{self._path.name} lacks rows"

    @property
    def facts(self) -> dict[str, FileFacts]:
        """The file's name, and its size and hash once all rows are written."""
        return {self._path.name: self._file.facts}
