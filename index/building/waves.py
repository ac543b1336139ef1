"""Publish waves: generations with what a build has read so far, while it goes on."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from index.building.assemble import Assembled, assemble
from index.building.describe_all import Again, Meanwhile
from index.building.former_wave import FormerWave
from index.building.journal import Journal
from index.building.new_manifest import BuildFacts, new_manifest
from index.building.update_plan import Plan, refuse_when_away, refuse_when_unreadable
from index.building.wave_plan import expected_pictures, to_be_read, wave_plan
from index.building.wave_rule import Reading, WaveRule, WaveTimes
from index.building.whitened_journal import WhitenedJournal
from index.storage.disk_space import need_space, room_in
from index.storage.generation import Generation
from index.storage.manifest import Wave, read_manifest
from index.storage.publishing import publish_wave, wave_folder
from retrieval.descriptors.embedder import Embedder
from retrieval.errors import DiskFull, GalleryProblem
from retrieval.types import Progress

BYTES_OF_PICTURE = 150_000
"""Approximate bytes on disk that a wave takes for each of its pictures, besides the files it shares."""
FEWEST = 500
"""With fewer pictures to read, their keypoints are found at once."""
Landed = Callable[[int, int], None]
"""Called when a wave is served, with the number of its pictures and about that of the finished index."""


@dataclass(frozen=True, slots=True)
class WaveOptions:
    """When waves are published, and who is told."""

    times: WaveTimes = field(default_factory=WaveTimes)
    landed: Landed = lambda *_: None
    keypoints_later: bool = False
    """Whether all pictures are described before their keypoints are found. They can be searched with `fast` sooner."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A build that publishes waves."""

    index_dir: Path
    plan: Plan
    journal: Journal
    embedder: Embedder
    store: str
    facts: BuildFacts


class Waves:
    """The waves of one build. They never change what it makes in the end."""

    def __init__(self, of: UnderWay, served: Generation | None, options: WaveOptions) -> None:
        """`served`: what is served when the build begins, which may be a wave of an earlier build."""
        self._of, self._options, self._before = of, options, served
        self._served = served.manifest.counts.images if served else 0
        self._detailed = 0
        """Pictures whose keypoints had been found, since they were described, when the last wave was published."""
        self._at_first = len(of.plan.reused)
        before = of.facts.before
        is_wave = served is not None and served.manifest.wave is not None
        added = self._served - (before.manifest.counts.images if before else 0) if is_wave else 0
        self._rule = WaveRule(options.times, added)
        self._began = time.monotonic()
        self._former: FormerWave | None = None
        self._whitened: WhitenedJournal | None = None
        self._keypoints_later = (
            options.keypoints_later and bool(of.embedder.recipe.keypoints) and len(of.plan.to_do) >= FEWEST
        )

    @property
    def meanwhile(self) -> Meanwhile:
        """What describing pictures calls."""
        all_read = partial(self._publish_if_due, all_read=True)
        return Meanwhile(self._publish_if_due, all_read, self._keypoints_later, self._of.index_dir)

    def _publish_if_due(self, again: Again, all_read: bool = False) -> None:
        """Publish a wave if one is due. It is left out while the disk has no room for it, or too much is unreadable.

        `again` also tells whether the build was cancelled.
        """
        reading = self._reading()
        if not self._rule.is_due(reading, all_read):
            return
        is_published = False
        self._of.journal.save()
        # the build itself may have room, and says so if not
        with suppress(DiskFull, GalleryProblem), room_in(self._of.index_dir):
            is_published = self._publish(lambda *_: again())
        self._rule.record(reading, self._seconds() - reading.seconds, is_published)

    def _reading(self) -> Reading:
        plan = self._of.plan
        pictures, read = len(plan.described) + len(plan.reused), len(plan.read)
        left = len(plan.to_do) - read
        if self._keypoints_later:  # finding them takes about as long as describing
            read, left = read + plan.keypoints_found, left + max(len(plan.to_do) - plan.keypoints_found, 0)
        return Reading(self._seconds(), read, left, pictures - self._at_first, pictures, plan.keypoints_found)

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _publish(self, progress: Progress) -> bool:
        """Whether there was something to publish."""
        of = self._of
        part = wave_plan(of.plan)
        has_more = part is not None and (len(part.images), of.plan.keypoints_found) > (self._served, self._detailed)
        if part is None or not has_more:
            return False
        if of.plan.has_missing:
            refuse_when_away(of.plan)
        refuse_when_unreadable(of.plan, self._before, full=False)
        need_space(of.index_dir, self._needed_bytes(part))
        part.former = self._former
        wave = Wave(
            found=expected_pictures(of.plan, part),
            base=of.facts.before.folder.name if of.facts.before else "",
            without_keypoints=len(of.journal.without_keypoints().keys() & part.described),
        )
        with wave_folder(of.index_dir) as folder:
            made = assemble(part, self._described(part), of.embedder.classes, folder, progress, of.store)
            final = publish_wave(folder, of.index_dir, new_manifest(of.facts, part, made, wave))
        self._former = _former_wave(final, made)
        if len(made.entries) > self._served:
            self._options.landed(len(made.entries), wave.found)
        self._served, self._detailed = len(made.entries), of.plan.keypoints_found
        return True

    def _described(self, part: Plan) -> Journal | WhitenedJournal:
        journal = self._of.journal
        if journal.whitening is not None:
            self._whitened = None
            return journal
        if self._whitened is None or self._whitened.is_outgrown():
            self._whitened = WhitenedJournal(journal, self._of.embedder.recipe.dimensions)
        self._whitened.look_at(part.described)
        return self._whitened

    def _needed_bytes(self, part: Plan) -> int:
        """What the wave takes, and what the rest of the build will."""
        return BYTES_OF_PICTURE * (len(part.images) + 2 * len(to_be_read(self._of.plan)))


def _former_wave(folder: Path, made: Assembled) -> FormerWave:
    files = read_manifest(folder).blob_files
    return FormerWave(folder, files, made.entries, made.sizes, made.whitening, made.neighbours, made.cells)
