"""Sync and atomically replace files on POSIX and Windows, and recognise junctions."""

import os
import sys
import time
from pathlib import Path

TRIES, PAUSE = 20, 0.05
"""Retries on Windows and seconds between them: a file cannot be replaced while a reader has it open."""
JUNCTION = 0xA0000003
"""The reparse tag of junctions."""


def is_junction(status: os.stat_result) -> bool:
    """Whether this is a junction: a link to a folder on Windows that does not count as a symbolic link.

    `status` is that of the link itself.
    """
    return getattr(status, "st_reparse_tag", 0) == JUNCTION


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk. Windows cannot sync folders."""
    if sys.platform != "win32":
        handle = os.open(path, os.O_RDONLY)
    elif path.is_file():
        handle = os.open(path, os.O_RDWR)  # fsync requires a writable handle
    else:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Flush a folder and everything below it to disk."""
    for path in (*folder.rglob("*"), folder):
        sync(path)


def replace_file(part: Path, target: Path) -> None:
    """Replace `target` with `part` atomically. Retries on Windows while a reader has `target` open."""
    for _ in range(TRIES if sys.platform == "win32" else 0):
        try:
            os.replace(part, target)
        except PermissionError:
            time.sleep(PAUSE)
        else:
            return
    os.replace(part, target)
