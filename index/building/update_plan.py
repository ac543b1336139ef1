"""What a build has to do: the folder against the generation before it and the journal of an interrupted build."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from index.building.describe_image import Task
from index.building.journal import Journal
from index.building.previous_generation import PreviousGeneration
from index.storage.folder_scan import Found, Skipped, path_bytes
from index.storage.generation import Changes, Generation
from retrieval.descriptors.recipe import LEARNED, Recipe, recipe_changes
from retrieval.descriptors.whitening import SAMPLE
from retrieval.errors import GalleryProblem

FEW = 20
"""With fewer pictures it is no wonder when most of them go."""
GONE, UNREADABLE = 0.5, 0.2
"""The share of the pictures served that may vanish, or turn out to be unreadable, before a build refuses."""
OUTGROWN = 2
"""A whitening is learned anew when the gallery has so many times the pictures that it was learned from."""
MOST_REGIONS = 20
"""Of a picture: a whitening that was learned from more than SAMPLE of them has seen all that it can."""
OVERRIDE = "If that is meant, build with --full. What is served stays as it is."


@dataclass(frozen=True, slots=True)
class Reused:
    """A picture that is taken over: its number in the generation before, and what is true of its file now."""

    number: int
    path: bytes
    """Below the gallery folder, as the disk spells it."""
    bytes: int
    mtime: float


@dataclass(slots=True)
class Plan:
    """Where each picture of the new generation comes from. What is to be done moves over to the others bit by bit."""

    gallery: Path
    base: PreviousGeneration | None
    taken: dict[str, Reused] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    """Pictures that are in the journal."""
    skipped: list[Skipped] = field(default_factory=list)
    to_do: list[Found] = field(default_factory=list)

    def tasks(self) -> Iterator[Task]:
        """What is to be done, for whatever does it."""
        for found in self.to_do:
            yield Task(found, self._below(found), self.base.hashes(found) if self.base else frozenset())

    def take(self, found: Found, number: int, mtime: float) -> None:
        self.taken[found.id] = Reused(number, self._below(found), found.bytes, mtime)

    def changes_nothing(self) -> bool:
        """Whether the new generation would be the one before."""
        if self.base is None or self.made or len(self.taken) != len(self.base.entries):
            return False
        entries = self.base.entries
        same = all(
            (image, taken.path, taken.mtime) == (entry.image, entry.path, entry.mtime)
            for image, taken in self.taken.items()
            for entry in [entries[taken.number]]
        )
        return same and sorted(self.skipped, key=lambda s: s.file) == self.base.skipped

    def _below(self, found: Found) -> bytes:
        return path_bytes(found.path.relative_to(self.gallery))


def make_plan(
    gallery: Path, found: list[Found], skipped: list[Skipped], base: PreviousGeneration | None, journal: Journal
) -> Plan:
    """Looks at names, sizes and times only.

    What is to be done is shuffled, but always the same way: the first ones are the sample that a whitening is learned
    from.
    """
    plan = Plan(gallery, base, skipped=list(skipped))
    made, left_out = journal.known(), journal.skipped()
    for picture in random.Random(0).sample(found, len(found)):
        facts = picture.bytes, picture.mtime
        number = base.unchanged(picture) if base else None
        before = left_out.get(picture.id) or (base.still_skipped(picture) if base else None)
        if number is not None:
            plan.take(picture, number, picture.mtime)
        elif made.get(picture.id) == facts:
            plan.made.add(picture.id)
        elif before and (before.bytes, before.mtime) == facts:
            plan.skipped.append(before)
        else:
            plan.to_do.append(picture)
    return plan


def reasons_to_reread(served: Generation, recipe: Recipe, found: int, full: bool) -> list[str]:
    """Why no picture of the served generation can be taken over, in words; empty when they can be.

    Pictures of another recipe do not compare with new ones, nor do those of axes that no longer suit the gallery.
    """
    changes = recipe_changes(served.manifest.recipe, recipe)
    if full:
        return ["a full build was asked for", *changes]
    learned = served.manifest.learned
    small = recipe.whitening == LEARNED and learned * MOST_REGIONS < SAMPLE
    if changes or not small or found < OUTGROWN * learned:
        return changes
    return [f"the whitening was learned from {learned:,} pictures, and there are {found:,} now"]


def reread_notice(reasons: list[str], found: int, left: int) -> str:
    """ "All 2,000 pictures are read again: keypoints changed from 0 to 500." `left`: how many still have to be."""
    pictures = f"All {found:,} pictures are" if found != 1 else "The only picture is"
    done = f" The last build has read {found - left:,} of them already." if left < found else ""
    return f"{pictures} read again: {'; '.join(reasons)}.{done}"


def refuse_when_gone(gallery: Path, served: Generation | None, found: int, full: bool) -> None:
    """Raises GalleryProblem when so much is missing that the disk of the gallery is rather not there."""
    before = len(served.tables.ids) if served else 0
    if before and not found:
        raise GalleryProblem(
            f"There is no picture in {gallery}, but the index holds {before:,} of it: is its disk connected? What is "
            "served stays as it is."
        )
    if before >= FEW and found < GONE * before and not full:
        raise GalleryProblem(f"Only {found:,} of {before:,} indexed pictures are left in {gallery}. {OVERRIDE}")


def refuse_when_unreadable(gallery: Path, served: Generation | None, skipped: list[Skipped], full: bool) -> None:
    """Raises GalleryProblem when so many pictures have become unreadable that the disk is rather failing."""
    before = len(served.tables.ids) if served else 0
    lost = [file for file in skipped if served and file.file in served.tables.numbers]
    if before >= FEW and len(lost) > UNREADABLE * before and not full:
        raise GalleryProblem(
            f"{len(lost):,} of {before:,} indexed pictures in {gallery} cannot be read any more; the first: "
            f"{lost[0].sentence} {OVERRIDE}"
        )


def changes(served: Generation | None, hashes: dict[str, str]) -> Changes:
    """From the generation before to one with pictures of these hashes."""
    before: dict[str, str] = {}
    if served:
        before = dict(zip(served.tables.ids, served.tables.images["sha256"].to_pylist(), strict=True))
    kept = sum(before.get(image) == sha256 for image, sha256 in hashes.items())
    added = len(hashes.keys() - before.keys())
    return Changes(
        added=added,
        changed=len(hashes) - added - kept,
        removed=len(before.keys() - hashes.keys()),
        kept=kept,
    )
