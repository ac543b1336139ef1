"""Tables of pictures that do not exist."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np

from index.storage.tables import IMAGE_COLUMNS, ImageEntry, Tables, read_tables, write_tables

EMPTY = Tables(
    IMAGE_COLUMNS.empty_table(), [], {}, np.zeros(0, np.int64), np.zeros((0, 4), np.int32), [], np.zeros(0), []
)
"""No picture."""


def made_tables(folder: Path, pictures: Mapping[str, str]) -> Tables:
    """Tables of pictures with these ids and contents; the folder is for their files."""
    entries = [
        ImageEntry(image, image.encode(), 9, 9, 1, 0.0, sha256(contents.encode()).hexdigest())
        for image, contents in sorted(pictures.items())
    ]
    write_tables(folder, entries, [[] for _ in entries])
    return read_tables(folder)
