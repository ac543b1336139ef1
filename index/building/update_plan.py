"""Plan a build: compare the gallery folder with the previous generation and the journal."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from index.building.decode_tasks import Part
from index.building.describe_image import ImageTask
from index.building.former_wave import FormerWave
from index.building.journal import Journal
from index.building.previous_generation import RETRIED_REASONS, PreviousGeneration, lasting
from index.building.visiting_order import visiting_order
from index.storage.folder_scan import Scan, ScannedFile, Skipped, has_files, start_of_paths
from index.storage.gallery_rules import (
    BELOW_MIN_SIDE,
    DEFAULT_RULES,
    GalleryRules,
    LeftOut,
    is_left_out,
    left_out_sentence,
)
from index.storage.generation import Generation
from index.storage.manifest import Changes
from index.storage.skipped_files import missing_packages, unread_formats
from index.storage.time_limit import ANSWERS, result_within
from retrieval.descriptors.recipe import LEARNED, Recipe, recipe_changes
from retrieval.descriptors.whitening import SAMPLE
from retrieval.errors import GalleryProblem
from retrieval.images.file_kinds import UNREAD
from retrieval.images.places import join_id

FEW = 20
"""Galleries with fewer indexed pictures are not checked for mass loss, and reading fewer takes no time to mention."""
GONE, UNREADABLE = 0.5, 0.2
"""A build refuses if fewer than this share of the indexed pictures is left, or more than this share is unreadable."""
OUTGROWN = 2
"""The whitening is learned again once the gallery has grown by this factor."""
MOST_REGIONS = 20
"""Upper bound of regions per picture. A whitening learned from SAMPLE regions is not learned again."""
OVERRIDE = "If this is intended, build with --full. The last finished index is unchanged."


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
    read: set[str] = field(default_factory=set)
    """The ids of the files of `to_do` that have been read."""
    keypoints_found: int = 0
    """How many pictures had their keypoints found after they were described."""
    found: dict[str, ScannedFile] = field(default_factory=dict)
    """All files in the gallery folder by id."""
    left_out: list[LeftOut] = field(default_factory=list)
    rules: GalleryRules = DEFAULT_RULES
    former: FormerWave | None = None
    """The wave before this one, if this is a plan of a wave."""

    @property
    def images(self) -> set[str]:
        """The ids of all images of the new generation."""
        return self.reused.keys() | self.described

    def tasks(self, part: Part = "all") -> Iterator[ImageTask]:
        """The images still to describe, as tasks for the executor."""
        for file in self.to_do:
            if file.id not in self.read:
                yield self.task(file, self.base.hashes(file) if self.base else frozenset(), part)

    def task(self, file: ScannedFile, known: frozenset[str], part: Part = "all") -> ImageTask:
        return ImageTask(file, known, self.rules.min_side, self.rules.incomplete, self.rules.limits, part)

    def reuse(self, file: ScannedFile, numbers: Iterable[int], mtime: float) -> None:
        """Take over images of the previous generation as those of this file."""
        assert self.base is not None
        for number in numbers:
            image = join_id(file.id, self.base.entries[number].place)
            self.reused[image] = Reused(number, file.relative, mtime)

    @property
    def has_missing(self) -> bool:
        """Whether a file could not be read for a reason that may pass, such as a drive that has gone."""
        return any(file.reason in RETRIED_REASONS for file in self.skipped)

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
    gallery: Path,
    scan: Scan,
    base: PreviousGeneration | None,
    journal: Journal,
    rules: GalleryRules = DEFAULT_RULES,
) -> Plan:
    """Compare names, sizes and times only; no file is read.

    The first tasks stand for all of them, because the first waves show them and the whitening is learned from them.
    """
    plan = Plan(gallery, base, skipped=list(scan.skipped), left_out=scan.left_out, rules=rules)
    plan.found = {file.id: file for file in scan.found}
    described, skipped = journal.files(), journal.skipped().values()
    skipped_here = lasting(skipped, rules, rules)
    to_retry = {record.source for record in skipped} - skipped_here.keys()  # such as pages that a drive took with it
    skipped_before = (base.lasting if base else {}) | skipped_here
    for picture in visiting_order(scan.found):
        facts = picture.bytes, picture.mtime
        numbers = base.unchanged(picture) if base else []
        here = described.get(picture.id)
        before = skipped_before.get(picture.id)
        if base and numbers:
            plan.reuse(picture, numbers, picture.mtime)
            plan.skipped += base.lasting.get(picture.id, [])
        elif here and here.facts == facts and picture.id not in to_retry:
            plan.described |= here.images
            plan.skipped += skipped_here.get(picture.id, [])
        elif before and all(not record.place and (record.bytes, record.mtime) == facts for record in before):
            plan.skipped += before
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


def reread_notice(reasons: list[str], found: int, left: int, seconds: float | None = None) -> str:
    """ "All 2,000 pictures are read again, about 6 min: keypoints changed from 0 to 500."

    `left`: how many still have to be; `seconds`: how long one of them takes, None if unknown.
    """
    pictures = f"All {found:,} pictures are" if found != 1 else "The only picture is"
    time = f", {about(left * seconds)}" if seconds is not None else ""
    done = f" The last build has read {found - left:,} of them already." if left < found else ""
    return f"{pictures} read again{time}: {'; '.join(reasons)}.{done}"


def about(seconds: float) -> str:
    """ "about 40 s", "about 6 min", "about 3 h": rounded to what an estimate can promise."""
    if seconds < 90:
        return f"about {max(round(seconds, -1), 10):.0f} s" if seconds >= 5 else "a few seconds"
    return f"about {seconds / 60:.0f} min" if seconds < 90 * 60 else f"about {seconds / 3600:.0f} h"


def refuse_when_gone(
    gallery: Path, served: Generation | None, scan: Scan, full: bool, more_folders: Sequence[Path] = ()
) -> None:
    """Raise GalleryProblem if so many pictures are missing that a disk of the gallery is probably disconnected.

    So is that of one of several folders if it had indexed pictures and is empty. Indexed pictures that are left out
    now, such as thumbnails in system folders, are not missing.
    """
    paths = set(served.tables.images["path"].to_pylist()) if served else set()
    left_out = {entry.path for entry in scan.left_out}
    before = sum(not is_left_out(path, left_out) for path in paths) if left_out else len(paths)
    found = len(scan.found)
    if not found and not before:
        raise GalleryProblem(_no_pictures(gallery, scan.skipped, scan.left_out))
    if not found:
        unread = unread_formats(scan.skipped)
        there = f"only pictures that Boxfind cannot read yet ({unread})" if unread else "no pictures"
        raise GalleryProblem(
            f"There are {there} in {gallery}, but the index holds {before:,}. Check that its disk is connected. "
            "The last finished index is unchanged."
        )
    if before >= FEW and found < GONE * before and not full:
        raise GalleryProblem(f"Only {found:,} of {before:,} indexed pictures are left in {gallery}. {OVERRIDE}")
    others = [*more_folders, *map(Path, served.manifest.more_folders if served else ())]
    for folder in (gallery, *more_folders):
        lost = 0 if full or _has_files(folder) else _count_in(folder, paths, gallery, others)
        if lost:
            raise GalleryProblem(
                f"{folder} is empty, but the index holds pictures of it ({lost:,}). Check that its disk is connected. "
                "If you have emptied it yourself, put any file into it. The last finished index is unchanged."
            )


def refuse_when_away(plan: Plan) -> None:
    """Raise GalleryProblem if a folder in which pictures were found is empty, missing or silent now."""
    for folder in (plan.gallery, *plan.rules.more_folders):
        paths = (file.relative for file in plan.found.values())
        if not _has_files(folder) and _count_in(folder, paths, plan.gallery, plan.rules.more_folders):
            raise GalleryProblem(
                f"{folder} has gone while its pictures were read. Check that its disk is connected, and build again: "
                "what has been read is kept."
            )


def _has_files(folder: Path) -> bool:
    return result_within(ANSWERS, partial(has_files, folder), False)


def _count_in(folder: Path, paths: Iterable[bytes], gallery: Path, others: Sequence[Path]) -> int:
    """How many paths of a gallery are in one of its folders. Those in the first one, `gallery`, are relative to it."""
    own, starts = start_of_paths(folder), tuple(map(start_of_paths, others))
    return sum(not path.startswith(starts) if folder == gallery else path.startswith(own) for path in paths)


def refuse_when_unreadable(plan: Plan, served: Generation | None, full: bool) -> None:
    """Raise GalleryProblem if no picture is usable, or so many became unreadable that the disk is probably failing."""
    gallery, skipped = plan.gallery, plan.skipped
    if not plan.reused and not plan.described:
        raise GalleryProblem(_no_pictures(gallery, skipped, plan.left_out))
    indexed = set(served.tables.sources) if served else set()
    before = len(indexed)
    lost = [file for file in skipped if not file.place and file.file in indexed and file.reason != BELOW_MIN_SIDE]
    if before >= FEW and len(lost) > UNREADABLE * before and not full:
        raise GalleryProblem(
            f"{len(lost):,} of {before:,} indexed pictures in {gallery} cannot be read any more. The first problem: "
            f"{lost[0].sentence} {OVERRIDE}"
        )


def _no_pictures(gallery: Path, skipped: Sequence[Skipped], left_out: Sequence[LeftOut]) -> str:
    """The message for a gallery of which no file can be indexed."""
    unread = unread_formats(skipped)
    others = [file for file in skipped if file.reason != UNREAD]
    packages = " ".join(missing_packages(skipped))
    if others:
        also = f" Also not read: {unread}." if unread else ""
        counted = f"No picture in {gallery} can be used (files skipped: {len(skipped):,})."
        return " ".join(filter(None, [f"{counted} The first: {others[0].sentence}{also}", packages]))
    if packages:
        return f"No picture in {gallery} can be used. {packages}"
    if unread:
        return f"{gallery} contains only pictures that Boxfind cannot read yet: {unread}. Convert them to JPEG."
    sentence = f"There are no pictures in {gallery}; add photos, scans, PDF files or videos."
    return " ".join(filter(None, [sentence, left_out_sentence(left_out)]))


def count_changes(served: Generation | None, hashes: dict[str, str], described: set[str]) -> Changes:
    """Count the changes between the served generation and `hashes` (image id -> SHA-256).

    `described`: the images that were read and described.
    """
    before: dict[str, str] = {}
    if served:
        before = dict(zip(served.tables.ids, served.tables.images["sha256"].to_pylist(), strict=True))
    same = {image for image, sha256 in hashes.items() if before.get(image) == sha256}
    kept = len(same)
    added = len(hashes.keys() - before.keys())
    removed = len(before.keys() - hashes.keys())
    return Changes(
        added=added, changed=len(hashes) - added - kept, removed=removed, kept=kept, reread=len(same & described)
    )
