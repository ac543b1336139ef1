"""The pictures that the most recent searches found: a small file in the index folder.

Pictures are known by their contents, so the file outlives the generations. It is no part of the index: only the order
of work depends on what is in it.
"""

from pathlib import Path

import numpy as np

from index.storage.file_system import replace_file
from index.storage.picture_contents import Contents

FILE = "recent-finds.bin"
MOST = 1000
"""Pictures in the file, at most; eight bytes each."""


def recent_finds(index_dir: Path) -> Contents:
    """The contents of these pictures, those of the last search first. (N,), empty if nothing is known."""
    try:
        return np.fromfile(index_dir / FILE, "<i8", MOST).astype(np.int64)
    except OSError:
        return np.zeros(0, np.int64)


def note_finds(index_dir: Path, found: Contents) -> None:
    """Put the pictures of a search, best first, before those of earlier ones. Raises OSError.

    If two processes write at the same moment, one of the two searches may be lost.
    """
    both = dict.fromkeys([*found.tolist(), *recent_finds(index_dir).tolist()])
    part = (index_dir / FILE).with_suffix(".part")
    np.array(list(both)[:MOST], "<i8").tofile(part)
    replace_file(part, index_dir / FILE)
