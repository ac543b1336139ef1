"""What a search looks at: the served generations, and how many of the pictures that a build has found."""

from collections.abc import Iterable
from dataclasses import dataclass

from boxfind.time_left import time_left
from index.building.jobs import BuildState
from index.gallery import Gallery


@dataclass(frozen=True, slots=True)
class SearchScope:
    """Generations that are searched together. Another one, or more text that has been read, may give other hits."""

    generations: tuple[str, ...]
    pictures: int
    found: int | None = None
    """Number of pictures that the finished index is expected to have; None if all generations are finished."""
    text: int = 0
    """How far the text in the pictures had been read: a number that grows. 0 if the search does not use it."""

    @property
    def counts(self) -> str:
        """ "12,400 of 98,310 pictures", or "98,310 pictures"."""
        if self.found is not None:
            return f"{self.pictures:,} of {self.found:,} pictures"
        return f"{self.pictures:,} picture{'' if self.pictures == 1 else 's'}"

    def sentence(self, build: BuildState | None) -> str:
        """ "Searching 12,400 of 98,310 pictures · 41 min left", or that the build stopped; empty if it is finished.

        `build` is the running or last one.
        """
        if self.found is None:
            return ""
        if build is None or build.state != "running":
            return f"Searching {self.counts}; the build was stopped. Update continues it."
        left = time_left(build)
        return f"Searching {self.counts}{f' · {left}' if left else ''}"


def scope_of(galleries: Iterable[Gallery], text: int = 0) -> SearchScope:
    """What a search of these galleries looks at."""
    generations, pictures, found, is_wave = [], 0, 0, False
    for gallery in galleries:
        manifest = gallery.manifest
        generations.append(gallery.folder.name)
        pictures += manifest.counts.images
        found += max(manifest.wave.found if manifest.wave else 0, manifest.counts.images)
        is_wave = is_wave or manifest.wave is not None
    return SearchScope(tuple(generations), pictures, found if is_wave else None, text)
