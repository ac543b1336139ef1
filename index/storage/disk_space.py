"""Check free disk space, show sizes, and turn disk-full errors into DiskFull."""

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.errors import DiskFull

SPARE = 1.3
"""Safety factor on estimated sizes."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of the operating system for a disk, a quota or a file that is full."""


def need_space(folder: Path, size: int) -> None:
    """Raise DiskFull unless the folder's disk has `size` bytes free, with a 30 % margin."""
    free = shutil.disk_usage(folder).free
    if free < SPARE * size:
        raise DiskFull(
            f"The new index needs about {file_size(SPARE * size)}, but {folder} has only {file_size(free)} free. Free "
            "some space, or put the index on another disk. The last finished index is unchanged."
        )


@contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """Turn disk-full errors of the operating system and SQLite into DiskFull."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        if (
            getattr(error, "errno", None) not in FULL
            and getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL
        ):
            raise
        free = file_size(shutil.disk_usage(folder).free)
        raise DiskFull(
            f"The disk is full: {folder} has {free} free. Free some space, or put the index on another disk. The "
            "last finished index is unchanged, and the next build continues from here."
        ) from None


def file_size(count: float) -> str:
    """12,345,678 -> "12.3 MB"."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
