"""A disk that is too small becomes one clear sentence, before the work where that can be foreseen."""

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.errors import DiskFull

SPARE = 1.3
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def need_space(folder: Path, size: int) -> None:
    """Raises DiskFull when the disk of a folder has not so many bytes, and a third more, to give."""
    free = shutil.disk_usage(folder).free
    if free < SPARE * size:
        raise DiskFull(
            f"The new index needs about {_text(SPARE * size)}, but {folder} has only {_text(free)} free. Make room "
            "there, or put the index on another disk. What is served stays as it is."
        )


@contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """What the operating system says of a full disk becomes DiskFull."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        if (
            getattr(error, "errno", None) not in FULL
            and getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL
        ):
            raise
        free = _text(shutil.disk_usage(folder).free)
        raise DiskFull(
            f"There is no more room for the index: {folder} has {free} free. Make room there, or put the index on "
            "another disk. What is served stays as it is, and what was done is kept for the next build."
        ) from None


def _text(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
