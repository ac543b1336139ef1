"""Which files of a generation are read and hashed when it is opened, and before it is updated.

Large files are only checked for their size on opening, which would otherwise read gigabytes. An update reads all files
whose contents it copies, but of many gigabytes of thumbnails and keypoints only a part, in every generation the next
part. `verify` reads everything.
"""

from math import ceil
from pathlib import Path

from index.storage.manifest import Manifest, file_faults

HASHED_ON_OPENING = 64 * 1024**2
"""Bytes up to which a file is hashed on opening. One of this size takes less than a tenth of a second."""
HASHED_BY_UPDATE = 2 * 1024**3
"""Bytes of thumbnails and keypoints that an update hashes, about those of 25,000 pictures."""


def faults_on_opening(folder: Path, manifest: Manifest, thorough: bool = False) -> dict[str, str]:
    """The faults by file name, apart from thumbnails and keypoints; `thorough` hashes large files too."""
    blobs = manifest.blob_files
    files = {name: facts for name, facts in manifest.files.items() if name not in blobs}
    small = files if thorough else {name: facts for name, facts in files.items() if facts.bytes <= HASHED_ON_OPENING}
    large = {name: facts for name, facts in files.items() if name not in small}
    return file_faults(folder, large, sizes_only=True) | file_faults(folder, small)


def blob_faults(folder: Path, manifest: Manifest, turn: int) -> dict[str, str]:
    """The faults of thumbnails and keypoints by file name: sizes of all files, contents of those whose turn it is."""
    files = manifest.blob_files
    turns = ceil(sum(facts.bytes for facts in files.values()) / HASHED_BY_UPDATE)
    read = {name: files[name] for place, name in enumerate(sorted(files)) if _is_its_turn(place, turn, turns)}
    return file_faults(folder, files, sizes_only=True) | file_faults(folder, read)


def _is_its_turn(place: int, turn: int, turns: int) -> bool:
    return turns <= 1 or place % turns == turn % turns
