"""A visitor's file that may hold several pictures: pages of a document, frames of an animation, moments of a film."""

import shutil
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

from index.storage.sources import Contents

UNKNOWN = Contents((), 0)
MOST_BYTES = 4_000_000_000
"""Bytes of all files that are kept, at most."""
_kept: list["weakref.ref[_KeptFolder]"] = []
_room = threading.Lock()


class _KeptFolder:
    """A temporary folder that is deleted when nobody refers to it any more, or the process ends."""

    def __init__(self, size: int) -> None:
        self.path, self.bytes = Path(mkdtemp(prefix="boxfind-")), size
        self.empty = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _make_room(newest: _KeptFolder) -> None:
    """Delete the oldest files while all together have more than MOST_BYTES."""
    with _room:
        folders = [folder for kept in _kept if (folder := kept()) and folder.empty.alive]
        while folders and sum(folder.bytes for folder in folders) + newest.bytes > MOST_BYTES:
            folders.pop(0).empty()
        _kept[:] = map(weakref.ref, (*folders, newest))


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was uploaded. It is kept in a temporary folder until nobody refers to this any more.

    It is deleted earlier if newer uploads need the room, see MOST_BYTES.
    """

    name: str
    folder: _KeptFolder
    contents: Contents = UNKNOWN

    @classmethod
    def of(cls, data: bytes, name: str) -> Self:
        """Keep the bytes of a file; what it holds is not known yet."""
        upload = cls(name, _KeptFolder(len(data)))
        _make_room(upload.folder)
        upload.path.write_bytes(data)
        return upload

    @property
    def path(self) -> Path:
        return self.folder.path / "upload"

    @property
    def is_kept(self) -> bool:
        return self.folder.empty.alive

    @property
    def places(self) -> tuple[str, ...]:
        """The places of its pictures; one for a single picture, none for a film."""
        return self.contents.places

    @property
    def seconds(self) -> float:
        """The length of a film; 0 for other files."""
        return self.contents.seconds

    @property
    def is_film(self) -> bool:
        return not self.places

    @property
    def is_picture(self) -> bool:
        """Whether the file is a picture by itself, or begins with one: a photo, a TIFF, an animation."""
        return self.places[:1] == ("",)

    @property
    def holds_several(self) -> bool:
        """Whether there is a choice."""
        return len(self.places) != 1
