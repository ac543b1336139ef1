"""Plan a build: compare the gallery folder with the previous generation and the journal."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from index.building.describe_image import ImageTask
from index.building.journal import Journal
from index.building.previous_generation import PreviousGeneration
from index.storage.folder_scan import ScannedFile, Skipped
from index.storage.generation import Generation
from index.storage.manifest import Changes
from retrieval.descriptors.recipe import LEARNED, Recipe, recipe_changes
from retrieval.descriptors.whitening import SAMPLE
from retrieval.errors import GalleryProblem

FEW = 20
"""Galleries with fewer indexed pictures are not checked for mass loss."""
GONE, UNREADABLE = 0.5, 0.2
"""A build refuses if fewer than this share of the indexed pictures is left, or more than this share is unreadable."""
OUTGROWN = 2
"""The whitening is learned again once the gallery has grown by this factor."""
MOST_REGIONS = 20
"""Upper bound of regions per picture. A whitening learned from SAMPLE regions is not learned again."""
OVERRIDE = "If this is intended, build with --full. The served index is unchanged."


@dataclass(frozen=True, slots=True)
class Reused:
    """A reused image: its number in the previous generation, and the current path and mtime of its file."""

    number: int
    path: bytes
    """Relative to the gallery, as raw file system bytes."""
    mtime: float


@dataclass(slots=True)
class Plan:
    """Where each image of the new generation comes from."""

    gallery: Path
    base: PreviousGeneration | None
    reused: dict[str, Reused] = field(default_factory=dict)
    described: set[str] = field(default_factory=set)
    """Images in the journal."""
    skipped: list[Skipped] = field(default_factory=list)
    to_do: list[ScannedFile] = field(default_factory=list)

    def tasks(self) -> Iterator[ImageTask]:
        """The images still to describe, as tasks for the executor."""
        for file in self.to_do:
            yield ImageTask(file, self.base.hashes(file) if self.base else frozenset())

    def reuse(self, file: ScannedFile, number: int, mtime: float) -> None:
        self.reused[file.id] = Reused(number, file.relative, mtime)

    def changes_nothing(self) -> bool:
        """Whether the new generation would equal the previous one."""
        if self.base is None or self.described or len(self.reused) != len(self.base.entries):
            return False
        entries = [self.base.entries[reused.number] for reused in self.reused.values()]
        same = all(
            (image, reused.path, reused.mtime) == (entry.image, entry.path, entry.mtime)
            for (image, reused), entry in zip(self.reused.items(), entries, strict=True)
        )
        return same and sorted(self.skipped, key=lambda s: s.file) == self.base.skipped


def make_plan(
    gallery: Path, found: list[ScannedFile], skipped: list[Skipped], base: PreviousGeneration | None, journal: Journal
) -> Plan:
    """Compare names, sizes and times only; no file is read.

    The tasks are shuffled with a fixed seed, because the whitening is learned from the first ones.
    """
    plan = Plan(gallery, base, skipped=list(skipped))
    described, skipped_before = journal.known(), journal.skipped()
    for picture in random.Random(0).sample(found, len(found)):
        facts = picture.bytes, picture.mtime
        number = base.unchanged(picture) if base else None
        before = skipped_before.get(picture.id) or (base.still_skipped(picture) if base else None)
        if number is not None:
            plan.reuse(picture, number, picture.mtime)
        elif described.get(picture.id) == facts:
            plan.described.add(picture.id)
        elif before and (before.bytes, before.mtime) == facts:
            plan.skipped.append(before)
        else:
            plan.to_do.append(picture)
    return plan


def reasons_to_reread(served: Generation, recipe: Recipe, found: int, full: bool) -> list[str]:
    """Why all pictures must be read again; empty if those of the served generation can be reused.

    Descriptors of different recipes are not comparable, and an outgrown whitening no longer fits the gallery.
    """
    changes = recipe_changes(served.manifest.recipe, recipe)
    if full:
        return ["a full build was requested", *changes]
    learned = served.manifest.learned
    small = recipe.whitening == LEARNED and learned * MOST_REGIONS < SAMPLE
    if changes or not small or found < OUTGROWN * learned:
        return changes
    return [f"the whitening was learned from {learned:,} pictures, and the gallery now has {found:,}"]


def reread_notice(reasons: list[str], found: int, left: int) -> str:
    """ "All 2,000 pictures are read again: keypoints changed from 0 to 500." `left`: how many still have to be."""
    pictures = f"All {found:,} pictures are" if found != 1 else "The only picture is"
    done = f" The last build has read {found - left:,} of them already." if left < found else ""
    return f"{pictures} read again: {'; '.join(reasons)}.{done}"


def refuse_when_gone(gallery: Path, served: Generation | None, found: int, full: bool) -> None:
    """Raise GalleryProblem if so many pictures are missing that the gallery's disk is probably disconnected."""
    before = len(served.tables.ids) if served else 0
    if before and not found:
        raise GalleryProblem(
            f"There are no pictures in {gallery}, but the index holds {before:,}. Check that its disk is connected. "
            "The served index is unchanged."
        )
    if before >= FEW and found < GONE * before and not full:
        raise GalleryProblem(f"Only {found:,} of {before:,} indexed pictures are left in {gallery}. {OVERRIDE}")


def refuse_when_unreadable(plan: Plan, served: Generation | None, full: bool) -> None:
    """Raise GalleryProblem if no picture is usable, or so many became unreadable that the disk is probably failing."""
    gallery, skipped = plan.gallery, plan.skipped
    if not plan.reused and not plan.described:
        if not skipped:
            raise GalleryProblem(
                f"There are no pictures in {gallery}; add JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF files."
            )
        raise GalleryProblem(
            f"No picture in {gallery} can be used (files skipped: {len(skipped):,}). The first: {skipped[0].sentence}"
        )
    before = len(served.tables.ids) if served else 0
    lost = [file for file in skipped if served and file.file in served.tables.numbers]
    if before >= FEW and len(lost) > UNREADABLE * before and not full:
        raise GalleryProblem(
            f"{len(lost):,} of {before:,} indexed pictures in {gallery} cannot be read any more. The first problem: "
            f"{lost[0].sentence} {OVERRIDE}"
        )


def count_changes(served: Generation | None, hashes: dict[str, str]) -> Changes:
    """Count the changes between the served generation and `hashes` (image id -> SHA-256)."""
    before: dict[str, str] = {}
    if served:
        before = dict(zip(served.tables.ids, served.tables.images["sha256"].to_pylist(), strict=True))
    kept = sum(before.get(image) == sha256 for image, sha256 in hashes.items())
    added = len(hashes.keys() - before.keys())
    removed = len(before.keys() - hashes.keys())
    return Changes(added=added, changed=len(hashes) - added - kept, removed=removed, kept=kept)
