"""Build a new generation from a gallery folder, reusing unchanged images of the previous one."""

import json
from dataclasses import asdict
from pathlib import Path

from index.building.assemble import Assembled, assemble
from index.building.describe_all import describe_all
from index.building.describe_image import Executor
from index.building.journal import Journal, open_journal, remove_journal
from index.building.previous_generation import PreviousGeneration
from index.building.update_plan import (
    MOST_REGIONS,
    Plan,
    changes,
    make_plan,
    reasons_to_reread,
    refuse_when_gone,
    refuse_when_unreadable,
    reread_notice,
)
from index.storage.disk_space import need_space, room_in
from index.storage.folder_scan import find_pictures
from index.storage.generation import (
    Counts,
    Generation,
    Manifest,
    Prepare,
    new_manifest,
    no_preparation,
    publish,
    scratch_folder,
    served_generation,
)
from index.stores.ivf import wants_cells
from retrieval.descriptors.recipe import Recipe
from retrieval.descriptors.whitening import SAMPLE
from retrieval.errors import GalleryProblem, IndexProblem
from retrieval.types import Notify, Progress

BYTES_OF_PICTURE, BYTES_OF_RAW = 110_000, 110_000
"""Approximate bytes on disk per image: in the index, and in the journal before the whitening is known."""


def build(
    gallery: Path,
    index_dir: Path,
    executor: Executor,
    progress: Progress,
    note: str = "",
    full: bool = False,
    store: str = "auto",
    prepare: Prepare = no_preparation,
    notify: Notify = lambda _: None,
) -> Path:
    """Index every picture below `gallery`, serve the result, and return the folder of the served generation.

    `executor` describes the images. Only new and changed pictures are described. With `full`, a changed recipe or an
    outgrown whitening, all pictures are described again and the whitening is learned again; `notify` receives the
    reason first. Unusable files are recorded with a reason and skipped. A build resumes an interrupted one from the
    journal, even if the executor is a different one. CURRENT changes only once the new generation is complete, and
    not at all if nothing changed. `prepare` receives the generation before it is served, even if nothing changed.

    Raises GalleryProblem, DiskFull, and whatever `executor` and `prepare` raise.
    """
    index_dir.mkdir(parents=True, exist_ok=True)
    with room_in(index_dir), scratch_folder(index_dir) as folder:
        progress("Looking for pictures", 0, 0)
        found, skipped = find_pictures(gallery)
        served, damage = _served(index_dir)
        refuse_when_gone(gallery, served, len(found), full)
        gallery, embedder = gallery.resolve(), executor.embedder
        recipe = embedder.recipe
        reasons = reasons_to_reread(served, recipe, len(found), full) if served else []
        base = PreviousGeneration(served) if served and not reasons else None
        with open_journal(index_dir, _journal_key(gallery, recipe, base), recipe.dedup_similarity) as journal:
            if base and journal.whitening is None:
                journal.learn(base.generation.whitening, base.generation.manifest.learned)
            if embedder.whitening and journal.whitening is None:
                journal.learn(embedder.whitening, learned=0)
            plan = make_plan(gallery, found, skipped, base, journal)
            need_space(index_dir, _estimated_bytes(plan, journal))
            if reasons:
                notify(reread_notice(reasons, len(found), len(plan.to_do)))
            describe_all(plan, executor, journal, progress)
            if not plan.taken and not plan.made:
                raise GalleryProblem(_nothing_usable(plan))
            refuse_when_unreadable(gallery, served, plan.skipped, full)
            if served and not damage and plan.changes_nothing() and _is_up_to_date(served, str(gallery), note, store):
                final = served.folder
                prepare(final)
            else:
                facts = {"recipe": recipe, "gallery": str(gallery), "note": note}
                made = assemble(plan, journal, embedder.classes, folder, progress, store)
                manifest = _manifest(plan, journal, made, served, facts)
                final = publish(folder, index_dir, manifest, served.folder if served else None, prepare)
        remove_journal(index_dir)
        return final


def _served(index_dir: Path) -> tuple[Generation | None, str]:
    try:
        return served_generation(index_dir)
    except IndexProblem:
        return None, ""


def _is_up_to_date(served: Generation, gallery: str, note: str, store: str) -> bool:
    """Whether gallery path and note are unchanged, and the cells that the store needs exist."""
    as_searched = served.cells is not None or not wants_cells(store, len(served.vectors))
    return as_searched and (served.manifest.gallery, served.manifest.note) == (gallery, note)


def _journal_key(gallery: Path, recipe: Recipe, base: PreviousGeneration | None) -> str:
    """Key of the journal: an interrupted build can be resumed only with the same gallery, recipe and whitening."""
    whitening = base.generation.manifest.files["whitening.npz"].sha256 if base else "to be learned"
    return json.dumps([str(gallery), asdict(recipe), whitening])


def _estimated_bytes(plan: Plan, journal: Journal) -> int:
    """Approximate number of bytes that the build will write."""
    before = sum(facts.bytes for facts in plan.base.generation.manifest.files.values()) if plan.base else 0
    raw = 0 if journal.whitening else min(len(plan.to_do), SAMPLE // MOST_REGIONS) * BYTES_OF_RAW
    return before // 2 + raw + 2 * BYTES_OF_PICTURE * (len(plan.to_do) + len(plan.made))


def _manifest(
    plan: Plan, journal: Journal, made: Assembled, served: Generation | None, facts: dict[str, object]
) -> Manifest:
    assert journal.whitening is not None
    counts = Counts(images=len(made.hashes), regions=made.regions, skipped=len(plan.skipped))
    return new_manifest(
        counts=counts,
        changes=changes(served, made.hashes),
        learned=journal.whitening[1],
        background=made.background,
        files=made.shared,
        **facts,
    )


def _nothing_usable(plan: Plan) -> str:
    if not plan.skipped:
        return f"There are no pictures in {plan.gallery}; add JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF files."
    first = plan.skipped[0].sentence
    return f"No picture in {plan.gallery} can be used (files skipped: {len(plan.skipped):,}). The first: {first}"
