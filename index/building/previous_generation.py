"""Look up reusable images in the previous generation, by file name, size, time and hash."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from index.storage.checked_files import blob_faults
from index.storage.folder_scan import ScannedFile, Skipped
from index.storage.gallery_rules import BELOW_MIN_SIDE, DEFAULT_RULES, GalleryRules
from index.storage.generation import Generation, generation_number
from index.storage.manifest import Manifest
from index.storage.skipped_files import read_skipped
from index.storage.sources import LIMITED
from index.storage.tables import ImageEntry
from retrieval.images.file_kinds import UNREAD
from retrieval.images.jpeg_decoder import INCOMPLETE
from retrieval.images.limits import SOURCE_LIMITS, SourceLimits
from retrieval.ranking.diffusion import Neighbours, moved
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
        manifest, turn = generation.manifest, generation_number(generation.folder)
        self._intact = manifest.blob_files.keys() - blob_faults(generation.folder, manifest, turn)
        self._of_size: defaultdict[int, list[str]] = defaultdict(list)
        self._of_hash: dict[str, str] = {}
        self._of_file = images_of_files(self.entries)
        self.lasting = lasting(self.skipped, rules_of(generation.manifest), rules)
        partly_skipped = {record.source for record in self.skipped if record.source in self._of_file}
        self._retried = partly_skipped - self.lasting.keys()
        for file, numbers in self._of_file.items():
            if self.usable(numbers) and file not in partly_skipped:  # else a copy would need records of its own
                entry = self.entries[numbers[0]]
                contents = entry.file_sha256 or entry.sha256
                self._of_size[entry.bytes].append(contents)
                self._of_hash.setdefault(contents, file)

    def unchanged(self, file: ScannedFile) -> list[int]:
        """The numbers of the images of a file with the same name, size and mtime; none if the file must be read."""
        numbers = self._of_file.get(file.id)
        if not numbers or file.id in self._retried:
            return []
        entry = self.entries[numbers[0]]
        same = (entry.bytes, entry.mtime) == (file.bytes, file.mtime)
        sure = entry.mtime < self.generation.manifest.created.timestamp() - MTIME_MARGIN
        return numbers if same and sure and self.usable(numbers) else []

    def hashes(self, file: ScannedFile) -> frozenset[str]:
        """SHA-256 of indexed files of the same size: the file may be a renamed or touched one."""
        alike = self._of_size.get(file.bytes, [])
        return frozenset(alike if len(alike) <= ALIKE_FILES else [])

    def of_hash(self, sha256: str, file: str) -> list[int]:
        """The numbers of the images of a file with this SHA-256, preferably the one with the id `file`."""
        numbers = self._of_file.get(file)
        if numbers and self.usable(numbers) and file not in self._retried:
            entry = self.entries[numbers[0]]
            if (entry.file_sha256 or entry.sha256) == sha256:
                return numbers
        return self._of_file[self._of_hash[sha256]]

    def rows(self, number: int) -> slice:
        return slice(int(self._rows[number]), int(self._rows[number + 1]))

    def regions(self, number: int) -> list[Region]:
        rows = self.rows(number)
        return [self.generation.tables.region(row) for row in range(rows.start, rows.stop)]

    def row_count(self, number: int) -> int:
        return int(self._rows[number + 1] - self._rows[number])

    def neighbours(self, here: Rows) -> Neighbours:
        """Known neighbours as rows of the new generation. `here` (N,) maps each old row to its new row, or -1."""
        return moved(self.generation.neighbours, here)

    def of_file(self, file: str) -> list[int]:
        """The numbers of the images of a file, which may have changed since."""
        return self._of_file.get(file, [])

    def contents(self, file: str) -> str:
        """The SHA-256 of an indexed file."""
        entry = self.entries[self._of_file[file][0]]
        return entry.file_sha256 or entry.sha256

    def files(self) -> Collection[str]:
        """The ids of all files."""
        return self._of_file.keys()

    def usable(self, numbers: Iterable[int]) -> bool:
        """Whether all images of a file can be reused."""
        entries = [self.entries[number] for number in numbers]
        return all(
            min(entry.width, entry.height) >= self._rules.min_side
            and {entry.thumb_file, entry.keypoints_file} <= self._intact
            for entry in entries
        )


def images_of_files(entries: Iterable[ImageEntry]) -> dict[str, list[int]]:
    """The id of each file -> the numbers of its images, in their order."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        numbers[entry.source].append(number)
    return dict(numbers)


def lasting(skipped: Iterable[Skipped], before: GalleryRules, rules: GalleryRules) -> dict[str, list[Skipped]]:
    """By file, the skip records of a build with the rules `before` that hold until the file changes.

    A file is read again for one page that is tried again, so all records of such a file are left out.
    """
    records: defaultdict[str, list[Skipped]] = defaultdict(list)
    for record in skipped:
        records[record.source].append(record)
    return {
        file: of_file
        for file, of_file in records.items()
        if not any(record.reason in RETRIED_REASONS or is_tried_again(record, before, rules) for record in of_file)
    }


def is_tried_again(skipped: Skipped, before: GalleryRules, rules: GalleryRules) -> bool:
    """Whether `rules` may let in a file or page that was skipped by a build with the rules `before`."""
    below = skipped.reason == BELOW_MIN_SIDE and before.min_side != rules.min_side
    limited = skipped.reason in LIMITED and before.limits != rules.limits
    return below or limited or (skipped.reason == INCOMPLETE and rules.incomplete)


def rules_of(manifest: Manifest) -> GalleryRules:
    """The rules of the build of a generation that decide which files it skipped."""
    known = {name: limit for name, limit in manifest.limits.items() if name in SourceLimits.__dataclass_fields__}
    return GalleryRules(min_side=manifest.min_side, limits=replace(SOURCE_LIMITS, **known))
