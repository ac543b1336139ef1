"""Look up reusable images in the previous generation, by file name, size, time and hash."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from index.storage.folder_scan import ScannedFile, Skipped
from index.storage.gallery_rules import BELOW_MIN_SIDE, DEFAULT_RULES, GalleryRules
from index.storage.generation import Generation
from index.storage.manifest import file_faults
from index.storage.skipped_files import read_skipped
from index.storage.tables import ImageEntry
from retrieval.images.file_kinds import UNREAD
from retrieval.images.jpeg_decoder import INCOMPLETE
from retrieval.ranking.diffusion import Neighbours
from retrieval.types import Region, Rows

MTIME_MARGIN = 2.0
"""Files modified less than this many seconds before the last build are read again: coarse timestamps may hide edits."""
ALIKE_FILES = 1000
"""With more indexed files of the same size than this, a new file is described without comparing hashes."""
RETRIED_REASONS = ("missing", "permission", "unreadable", "changed", "outside", "dangling", "special", UNREAD)
"""Skip reasons that do not depend on the file's contents alone; every build tries these files again."""


class PreviousGeneration:
    """A generation as a source of reusable images, by image number. Images in damaged blob files are not reused."""

    def __init__(self, generation: Generation, rules: GalleryRules = DEFAULT_RULES) -> None:
        """`rules` apply to the new generation; images that are too small for them are not reused."""
        self.generation = generation
        self._rules = rules
        tables = generation.tables
        self.entries = [ImageEntry(**row) for row in tables.images.to_pylist()]
        self._rows = np.searchsorted(tables.image_of_row, np.arange(len(self.entries) + 1))
        self.skipped = read_skipped(generation.folder)
        files = generation.manifest.files
        self._intact = files.keys() - file_faults(generation.folder, files)
        self._of_size: defaultdict[int, list[str]] = defaultdict(list)
        self._of_hash: dict[str, int] = {}
        for number, entry in enumerate(self.entries):
            if self._usable(entry):
                self._of_size[entry.bytes].append(entry.sha256)
                self._of_hash.setdefault(entry.sha256, number)

    def unchanged(self, file: ScannedFile) -> int | None:
        """The number of an image with the same name, size and mtime; None if the file must be read."""
        number = self.generation.tables.numbers.get(file.id)
        if number is None:
            return None
        entry = self.entries[number]
        same = (entry.bytes, entry.mtime) == (file.bytes, file.mtime)
        sure = entry.mtime < self.generation.manifest.created.timestamp() - MTIME_MARGIN
        return number if same and sure and self._usable(entry) else None

    def hashes(self, file: ScannedFile) -> frozenset[str]:
        """SHA-256 of indexed files of the same size: the file may be a renamed or touched one."""
        alike = self._of_size.get(file.bytes, [])
        return frozenset(alike if len(alike) <= ALIKE_FILES else [])

    def of_hash(self, sha256: str, image: str) -> int:
        """The number of an image with this SHA-256, preferably the one called `image`."""
        number = self.generation.tables.numbers.get(image)
        if number is not None and self.entries[number].sha256 == sha256 and self._usable(self.entries[number]):
            return number
        return self._of_hash[sha256]

    def rows(self, number: int) -> slice:
        return slice(int(self._rows[number]), int(self._rows[number + 1]))

    def regions(self, number: int) -> list[Region]:
        rows = self.rows(number)
        return [self.generation.tables.region(row) for row in range(rows.start, rows.stop)]

    def row_count(self, number: int) -> int:
        return int(self._rows[number + 1] - self._rows[number])

    def neighbours(self, here: Rows) -> Neighbours:
        """Known neighbours as rows of the new generation. `here` (N,) maps each old row to its new row, or -1."""
        old = self.generation.neighbours
        return Neighbours(here[old.nodes], here[old.nodes[old.nearest]], old.similarities)

    def _usable(self, entry: ImageEntry) -> bool:
        is_large_enough = min(entry.width, entry.height) >= self._rules.min_side
        return is_large_enough and {entry.thumb_file, entry.keypoints_file} <= self._intact


def lasting(skipped: Iterable[Skipped], min_side: int, rules: GalleryRules) -> dict[str, Skipped]:
    """By file, the skip records of a build with this smallest side that hold until the file changes."""
    return {
        record.file: record
        for record in skipped
        if record.reason not in RETRIED_REASONS and not is_tried_again(record, min_side, rules)
    }


def is_tried_again(skipped: Skipped, min_side: int, rules: GalleryRules) -> bool:
    """Whether other rules may let in a file that was skipped by a build with this smallest side."""
    below = skipped.reason == BELOW_MIN_SIDE and min_side != rules.min_side
    return below or (skipped.reason == INCOMPLETE and rules.incomplete)
