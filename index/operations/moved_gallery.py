"""Recognise the gallery folder of an index at another place, by a sample of its files, and find where it is now."""

import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from index.storage.folder_scan import start_of_paths
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from retrieval.errors import IndexProblem
from retrieval.networks.weights import file_sha256

SAMPLE = 48
"""Files whose name and size are compared, at most."""
READ, MOST_BYTES = 6, 100_000_000
"""Files that are read and compared, at most, and the bytes of one; of larger ones only, the smallest is read."""
MOST_THERE, MOST_SAME = 0.6, 0.8
"""A folder is the gallery if at least this share of the sample is there, and this share of what is read is the same."""
PROBES = 4
"""Files that are looked for first: a folder that has none of them is another one."""
DEPTH, MOST_FOLDERS = 2, 3000
"""How deep to look around the old place, and how many folders at most."""
FIND_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A file of the gallery as it was indexed."""

    path: str
    """Below the gallery folder."""
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class GallerySample:
    """What a gallery folder is known by: where it was, and some of its files, spread over all of them."""

    folder: str
    files: tuple[SampleFile, ...]


def gallery_sample(index_dir: Path, number: int = 0) -> GallerySample:
    """The sample of a folder of the served generation: the first one, or one of the others. Raises IndexProblem."""
    folder = current_folder(index_dir)
    manifest = read_manifest(folder)
    try:
        table = pq.read_table(folder / "images.parquet", columns=["path", "bytes", "sha256", "file_sha256"])
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise IndexProblem(f"The index {folder.name} is damaged: {error}.") from None
    above = b""
    if manifest.more_folders:  # their files have absolute paths
        others = tuple(start_of_paths(Path(other)) for other in manifest.more_folders)
        above = others[number - 1] if number else b""
        paths = enumerate(table["path"].to_pylist())
        table = table.take([row for row, path in paths if path.startswith(above or others) == bool(number)])
    files = {row["path"]: row for row in _spread(table)}
    return GallerySample(
        (manifest.gallery, *manifest.more_folders)[number],
        tuple(
            SampleFile(os.fsdecode(path.removeprefix(above)), row["bytes"], row["file_sha256"] or row["sha256"])
            for path, row in files.items()
        ),
    )


def is_same_gallery(sample: GallerySample, folder: Path) -> bool:
    """Whether a folder holds the pictures of the sample below the same names. Reads READ of them at most."""
    if not sample.files or not any(_is_there(folder, file) for file in _some(sample.files, PROBES)):
        return False
    there = [file for file in sample.files if _is_there(folder, file)]
    if len(there) < MOST_THERE * len(sample.files):
        return False
    smallest = sorted(there, key=lambda file: file.bytes)[:1]
    read = _some([file for file in there if file.bytes <= MOST_BYTES], READ) or smallest
    return sum(_is_same(folder, file) for file in read) >= MOST_SAME * len(read)


def find_gallery(sample: GallerySample, likely: Iterable[Path] = (), seconds: float = FIND_SECONDS) -> Path | None:
    """Where the folder of an index may be now: `likely`, around its old place, or on another drive. None if not found.

    Looks for `seconds` at most, unless a drive does not answer.
    """
    until = time.monotonic() + seconds
    old = os.path.normpath(sample.folder)
    seen = {old}
    for folder in _places(sample.folder, likely):
        if time.monotonic() > until:
            return None
        if str(folder) not in seen and is_same_gallery(sample, folder):
            return folder
        seen.add(str(folder))
    return None


def _spread(table: pa.Table) -> list[dict[str, Any]]:
    step = max(1, -(-len(table) // SAMPLE))
    return list(table.take(list(range(0, len(table), step))).to_pylist())


def _some(files: Sequence[SampleFile], count: int) -> list[SampleFile]:
    """At most `count` files, spread over all of them."""
    return list(files[:: max(1, -(-len(files) // count))])


def _is_there(folder: Path, file: SampleFile) -> bool:
    try:
        return (folder / file.path).stat().st_size == file.bytes
    except (OSError, ValueError):
        return False


def _is_same(folder: Path, file: SampleFile) -> bool:
    try:
        return file_sha256(folder / file.path) == file.sha256
    except OSError:
        return False


def _places(old: str, likely: Iterable[Path]) -> Iterator[Path]:
    """Folders that may be the gallery, the likely ones first."""
    yield from likely
    parts = _parts(old)
    drives = _drives()
    for drive in drives:
        for start in range(len(parts)):
            yield drive.joinpath(*parts[start:])
    place = Path(old)
    there = next((above for above in place.parents if above.is_dir()), None)
    if there is not None and there != Path(there.anchor) and place.is_absolute():
        yield from _below(there, DEPTH, place.name)
        if there.parent != Path(there.anchor):
            yield from _below(there.parent, 1, place.name)
    for around in (Path.home(), *drives):
        yield from (folder for folder in _below(around, DEPTH, "") if parts and folder.name == parts[-1])


def _parts(old: str) -> tuple[str, ...]:
    """The names in a path without its drive; the path may be of another system."""
    path = PureWindowsPath(old) if PureWindowsPath(old).drive else PurePosixPath(old)
    return tuple(part for part in path.parts if part != path.anchor)


def _below(folder: Path, depth: int, first: str) -> Iterator[Path]:
    """The folders in a folder, level by level; of each folder, the one called `first` before the others."""
    waiting, count = deque([(folder, depth)]), 0
    while waiting and count < MOST_FOLDERS:
        above, levels = waiting.popleft()
        for child in sorted(_subfolders(above), key=lambda child: (child.name != first, child.name)):
            count += 1
            yield child
            if levels > 1:
                waiting.append((child, levels - 1))


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []


def _drives() -> list[Path]:
    """The folders at which drives are mounted."""
    if sys.platform == "win32":
        return [Path(f"{letter}:\\") for letter in "CDEFGHIJKLMNOPQRSTUVWXYZ" if os.path.exists(f"{letter}:\\")]
    mounts = [Path(name) for name in ("/media", "/mnt", "/Volumes")] + _subfolders(Path("/run/media"))
    drives = [drive for mount in mounts for drive in _subfolders(mount)]
    return drives + [below for drive in drives if drive.parent.name == "media" for below in _subfolders(drive)]
