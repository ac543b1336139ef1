"""A visitor's file that may hold several pictures: pages of a document, frames of an animation, moments of a film."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from index.storage.sources import Contents

UNKNOWN = Contents((), 0)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was uploaded. It is kept in a temporary folder until nobody refers to this any more."""

    name: str
    folder: "TemporaryDirectory[str]"
    contents: Contents = UNKNOWN

    @classmethod
    def of(cls, data: bytes, name: str) -> Self:
        """Keep the bytes of a file; what it holds is not known yet."""
        folder = TemporaryDirectory(prefix="boxfind-", ignore_cleanup_errors=True)
        upload = cls(name, folder)
        upload.path.write_bytes(data)
        return upload

    @property
    def path(self) -> Path:
        return Path(self.folder.name, "upload")

    @property
    def places(self) -> tuple[str, ...]:
        """The places of its pictures; one for a single picture, none for a film."""
        return self.contents.places

    @property
    def seconds(self) -> float:
        """The length of a film; 0 for other files."""
        return self.contents.seconds

    @property
    def is_picture(self) -> bool:
        """Whether the file is a picture by itself, or begins with one: a photo, a TIFF, an animation."""
        return self.places[:1] == ("",)

    @property
    def holds_several(self) -> bool:
        """Whether there is a choice."""
        return len(self.places) != 1
