"""Build a new generation from a gallery folder, reusing unchanged images of the previous one."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from index.building.assemble import Assembled, assemble
from index.building.describe_all import describe_all
from index.building.describe_image import Executor
from index.building.journal import Journal, open_journal, remove_journal
from index.building.previous_generation import PreviousGeneration
from index.building.update_plan import (
    MOST_REGIONS,
    Plan,
    count_changes,
    make_plan,
    reasons_to_reread,
    refuse_when_gone,
    refuse_when_unreadable,
    reread_notice,
)
from index.storage.disk_space import need_space, room_in
from index.storage.folder_scan import find_pictures
from index.storage.generation import Generation, served_generation
from index.storage.manifest import FORMAT, Counts, Manifest
from index.storage.publishing import Prepare, no_preparation, publish, scratch_folder
from index.stores.ivf import wants_cells
from retrieval.descriptors.recipe import Recipe
from retrieval.descriptors.whitening import SAMPLE
from retrieval.errors import IndexProblem
from retrieval.types import Notify, Progress

BYTES_OF_PICTURE, BYTES_OF_RAW = 110_000, 110_000
"""Approximate bytes on disk per image: in the index, and in the journal before the whitening is known."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """`full` describes all pictures again and learns the whitening again."""

    note: str = ""
    """A sentence for users of the index."""
    full: bool = False
    store: str = "auto"
    """The vector store that the index must support."""
    prepare: Prepare = no_preparation
    """Receives the generation before it is served, even if nothing changed."""
    notify: Notify = lambda _: None
    """Receives the reason before all pictures are described again."""


def build(
    gallery: Path, index_dir: Path, executor: Executor, progress: Progress, options: BuildOptions = BuildOptions()
) -> Path:
    """Index every picture below `gallery`, serve the result, and return the folder of the served generation.

    `executor` describes the images: new and changed ones, or all if the recipe changed or the gallery has outgrown its
    whitening. Unusable files are recorded with a reason and skipped. A build resumes an interrupted one from the
    journal, even if the executor is a different one. CURRENT changes only once the new generation is complete, and
    not at all if nothing changed.

    Raises GalleryProblem, DiskFull, and whatever `executor` and `options.prepare` raise.
    """
    with room_in(index_dir), scratch_folder(index_dir) as folder:
        progress("Looking for pictures", 0, 0)
        found, skipped = find_pictures(gallery)
        served, damage = _served(index_dir)
        refuse_when_gone(gallery, served, len(found), options.full)
        gallery, recipe = gallery.resolve(), executor.embedder.recipe
        reasons = reasons_to_reread(served, recipe, len(found), options.full) if served else []
        base = PreviousGeneration(served) if served and not reasons else None
        with open_journal(index_dir, _journal_key(gallery, recipe, base), recipe.dedup_similarity) as journal:
            if journal.whitening is None and base:
                journal.learn(base.generation.whitening, base.generation.manifest.learned)
            elif journal.whitening is None and executor.embedder.whitening:
                journal.learn(executor.embedder.whitening, learned=0)
            plan = make_plan(gallery, found, skipped, base, journal)
            need_space(index_dir, _estimated_bytes(plan, journal))
            if reasons:
                options.notify(reread_notice(reasons, len(found), len(plan.to_do)))
            describe_all(plan, executor, journal, progress)
            refuse_when_unreadable(plan, served, options.full)
            if served and not damage and plan.changes_nothing() and _is_up_to_date(served, str(gallery), options):
                final = served.folder
                options.prepare(final)
            else:
                made = assemble(plan, journal, executor.embedder.classes, folder, progress, options.store)
                manifest = _manifest(plan, journal, made, served, recipe, options.note)
                final = publish(folder, index_dir, manifest, served.folder if served else None, options.prepare)
        remove_journal(index_dir)
        return final


def _served(index_dir: Path) -> tuple[Generation | None, str]:
    try:
        return served_generation(index_dir)
    except IndexProblem:
        return None, ""


def _is_up_to_date(served: Generation, gallery: str, options: BuildOptions) -> bool:
    """Whether gallery path and note are unchanged, and the cells that the store needs exist."""
    searchable = served.cells is not None or not wants_cells(options.store, len(served.vectors))
    return searchable and (served.manifest.gallery, served.manifest.note) == (gallery, options.note)


def _journal_key(gallery: Path, recipe: Recipe, base: PreviousGeneration | None) -> str:
    """Key of the journal: an interrupted build can be resumed only with the same gallery, recipe and whitening."""
    whitening = base.generation.manifest.files["whitening.npz"].sha256 if base else "to be learned"
    return json.dumps([str(gallery), asdict(recipe), whitening])


def _estimated_bytes(plan: Plan, journal: Journal) -> int:
    """Approximate number of bytes that the build will write."""
    before = sum(facts.bytes for facts in plan.base.generation.manifest.files.values()) if plan.base else 0
    raw = 0 if journal.whitening else min(len(plan.to_do), SAMPLE // MOST_REGIONS) * BYTES_OF_RAW
    return before // 2 + raw + 2 * BYTES_OF_PICTURE * (len(plan.to_do) + len(plan.described))


def _manifest(
    plan: Plan, journal: Journal, made: Assembled, served: Generation | None, recipe: Recipe, note: str
) -> Manifest:
    return Manifest(
        format=FORMAT,
        recipe=recipe,
        gallery=str(plan.gallery),
        created=datetime.now(UTC),
        counts=Counts(images=len(made.hashes), regions=made.regions, skipped=len(plan.skipped)),
        changes=count_changes(served, made.hashes),
        learned=journal.learned,
        background=made.background,
        note=note,
        files=made.shared,
    )
