"""What systems do differently with files: syncing them, and replacing one that others read."""

import os
import sys
import time
from pathlib import Path

TRIES, PAUSE = 20, 0.05
"""How often a file is replaced where Windows refuses, and the seconds between: readers hold it for an instant."""


def sync(path: Path) -> None:
    """Returns once a file, or the names in a folder, are on the disk. Windows cannot sync folders."""
    if sys.platform != "win32":
        handle = os.open(path, os.O_RDONLY)
    elif path.is_file():
        handle = os.open(path, os.O_RDWR)  # else fsync is refused
    else:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(part: Path, target: Path) -> None:
    """Gives a file the name of another one, at once. Windows refuses as long as somebody reads that one."""
    for _ in range(TRIES if sys.platform == "win32" else 0):
        try:
            os.replace(part, target)
        except PermissionError:
            time.sleep(PAUSE)
        else:
            return
    os.replace(part, target)
