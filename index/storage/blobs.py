"""Blob files of thumbnails and keypoints, many images to a file, hard-linked between generations."""

import os
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from index.storage.generation import Generation
from index.storage.hashed_file import HashedFile
from index.storage.manifest import FileFacts
from index.storage.tables import ImageEntry

PICTURES_PER_FILE = 1000
"""Images per blob file."""
FEWEST = 500
"""A blob file with fewer live images is not shared; they are copied to a new file, so small files do not pile up."""
NEEDED = 0.75
"""A blob file with a smaller share of live bytes is not shared."""


class BlobWriter:
    """Appends to a thumbnail and a keypoint file, and starts new ones every PICTURES_PER_FILE images."""

    def __init__(self, folder: Path, taken: Iterable[str] = ()) -> None:
        self._folder = folder
        self._files: list[HashedFile] = []
        self.facts: dict[str, FileFacts] = {}
        """Size and hash of each file that is finished; of all after `close`."""
        self._number = max((int(Path(name).stem) for name in taken), default=-1)
        self._pictures = PICTURES_PER_FILE

    def add(self, entry: ImageEntry, thumbnail: bytes, keypoints: bytes) -> ImageEntry:
        """Append both blobs; the entry with their locations."""
        if self._pictures == PICTURES_PER_FILE:
            self.close()
            self._number, self._pictures = self._number + 1, 0
            self._files = [HashedFile(self._folder / name) for name in self._names]
        self._pictures += 1
        (thumb_file, keypoints_file), (thumbnails, all_keypoints) = self._names, self._files
        return replace(
            entry,
            thumb_file=thumb_file,
            thumb_start=_append(thumbnails, thumbnail),
            thumb_bytes=len(thumbnail),
            keypoints_file=keypoints_file,
            keypoints_start=_append(all_keypoints, keypoints),
            keypoints_bytes=len(keypoints),
        )

    def close(self) -> None:
        """Finish the open files."""
        for name, file in zip(self._names, self._files, strict=False):
            file.close()
            self.facts[name] = file.facts
        self._files = []

    @property
    def _names(self) -> tuple[str, str]:
        return f"thumbs/{self._number:04d}.jpgs", f"keypoints/{self._number:04d}.bin"


def _append(file: HashedFile, data: bytes) -> int:
    """Append data; where it starts."""
    start = file.tell()
    file.write(data)
    return start


def worth_sharing(generation: Generation, needed: Iterable[ImageEntry]) -> dict[str, FileFacts]:
    """The blob files of a generation that hold mostly live data, by name.

    A thumbnail file and the keypoint file of the same images are kept or dropped together.
    """
    size: defaultdict[str, int] = defaultdict(int)
    pictures: defaultdict[str, int] = defaultdict(int)
    for entry in needed:
        number = Path(entry.thumb_file).stem
        pictures[number] += 1
        size[number] += entry.thumb_bytes + entry.keypoints_bytes
    files = generation.manifest.blob_files
    whole: defaultdict[str, int] = defaultdict(int)
    for name, facts in files.items():
        whole[Path(name).stem] += facts.bytes
    kept = {number for number in pictures if pictures[number] >= FEWEST and size[number] >= NEEDED * whole[number]}
    return {name: facts for name, facts in files.items() if Path(name).stem in kept}


def share(name: str, before: Path, folder: Path) -> None:
    """Hard-link a blob file into the new generation, or copy it if the disk has no hard links."""
    try:
        os.link(before / name, folder / name)
    except OSError:
        shutil.copy2(before / name, folder / name)


def read_slice(folder: Path, name: str, start: int, size: int) -> bytes:
    with (folder / name).open("rb", buffering=0) as file:
        file.seek(start)
        return file.read(size)
