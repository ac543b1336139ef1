"""Build a new generation from a gallery folder, reusing unchanged images of the previous one."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from index.building.assemble import Assembled, assemble
from index.building.comparable_precision import Precision, agree_on_precision
from index.building.describe_all import describe_all
from index.building.describe_image import Executor
from index.building.journal import Journal, open_journal, remove_journal
from index.building.previous_generation import PreviousGeneration
from index.building.update_plan import (
    FEW,
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
from index.storage.folder_scan import ScannedFile, scan_gallery
from index.storage.gallery_rules import DEFAULT_RULES, GalleryRules, left_out_sentence
from index.storage.generation import Generation, served_generation
from index.storage.manifest import FORMAT, Counts, Manifest
from index.storage.publishing import Prepare, no_preparation, publish, scratch_folder
from index.storage.skipped_files import read_skipped
from index.stores.ivf import wants_cells
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.descriptors.whitening import SAMPLE
from retrieval.errors import IndexProblem
from retrieval.images.limits import SOURCE_LIMITS, SourceLimits
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
    """Receives the reason before all pictures are described again, or why an index of another precision is kept."""
    exact_precision: bool = False
    """Whether the executor's precision is asked for, so that an index of another one is described again."""
    estimate: Callable[[Embedder], float | None] = lambda _: None
    """Estimates the seconds for each picture that is described; None if they are unknown."""
    rules: GalleryRules = DEFAULT_RULES
    """What of the gallery is left out. The index folder always is."""


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
    # Several BLAS threads wait for the slowest by spinning: beside another busy program a build would hardly advance.
    with room_in(index_dir), one_blas_thread(), scratch_folder(index_dir) as folder:
        progress("Looking for pictures", 0, 0)
        served, damage = _served(index_dir)
        rules = options.rules.with_own_folder(index_dir)
        scan = scan_gallery(gallery, rules, read_skipped(served.folder) if served else ())
        refuse_when_gone(gallery, served, scan, options.full)
        found, gallery = scan.found, gallery.resolve()
        precision, reasons = _precision(served, executor, found, progress, options)
        recipe = precision.recipe
        base = PreviousGeneration(served, rules) if served and not reasons else None
        key = _journal_key(gallery, recipe, base, rules.min_side, rules.limits)
        with open_journal(index_dir, key, recipe.dedup_similarity) as journal:
            if journal.whitening is None and base:
                journal.learn(base.generation.whitening, base.generation.manifest.learned)
            elif journal.whitening is None and executor.embedder.whitening:
                journal.learn(executor.embedder.whitening, learned=0)
            plan = make_plan(gallery, scan, base, journal, rules)
            need_space(index_dir, _estimated_bytes(plan, journal))
            if reasons:
                seconds = options.estimate(executor.embedder) if len(plan.to_do) >= FEW else None
                options.notify(reread_notice(reasons, len(found), len(plan.to_do), seconds))
            elif precision.notice:
                options.notify(precision.notice)
            describe_all(plan, executor, journal, progress)
            refuse_when_unreadable(plan, served, options.full)
            unchanged = served and not damage and plan.changes_nothing() and not precision.notice
            if served and unchanged and _is_up_to_date(served, plan, options):
                final = served.folder
                options.prepare(final)
            else:
                made = assemble(plan, journal, executor.embedder.classes, folder, progress, options.store)
                manifest = _manifest(plan, journal, made, served, precision, options.note)
                final = publish(folder, index_dir, manifest, served.folder if served else None, options.prepare)
        remove_journal(index_dir)
        return final


def _served(index_dir: Path) -> tuple[Generation | None, str]:
    try:
        return served_generation(index_dir)
    except IndexProblem:
        return None, ""


def _precision(
    served: Generation | None,
    executor: Executor,
    found: list[ScannedFile],
    progress: Progress,
    options: BuildOptions,
) -> tuple[Precision, list[str]]:
    """The precision to compute in, and the reasons to describe all images again."""
    wanted = Precision(executor.embedder.recipe)
    if served is None:
        return wanted, []
    kept = wanted if options.full else agree_on_precision(served, executor, found, progress, options.exact_precision)
    reasons = reasons_to_reread(served, kept.recipe, len(found), options.full)
    return (wanted if reasons else kept), reasons


def _is_up_to_date(served: Generation, plan: Plan, options: BuildOptions) -> bool:
    """Whether gallery, note, smallest side and what is left out are the same, and the cells for the store exist."""
    searchable = served.cells is not None or not wants_cells(options.store, len(served.vectors))
    manifest = served.manifest
    now = (str(plan.gallery), options.note, options.rules.min_side, left_out_sentence(plan.left_out))
    limited = manifest.limits or asdict(SOURCE_LIMITS)
    before = (manifest.gallery, manifest.note, manifest.min_side, manifest.left_out)
    return searchable and before == now and limited == asdict(options.rules.limits)


def _journal_key(
    gallery: Path, recipe: Recipe, base: PreviousGeneration | None, min_side: int, limits: SourceLimits
) -> str:
    """Key of the journal: only a build of the same gallery, recipe, whitening and limits can be resumed."""
    whitening = base.generation.manifest.files["whitening.npz"].sha256 if base else "to be learned"
    return json.dumps([str(gallery), asdict(recipe), whitening, min_side, asdict(limits)])


def _estimated_bytes(plan: Plan, journal: Journal) -> int:
    """Approximate number of bytes that the build will write."""
    before = sum(facts.bytes for facts in plan.base.generation.manifest.files.values()) if plan.base else 0
    raw = 0 if journal.whitening else min(len(plan.to_do), SAMPLE // MOST_REGIONS) * BYTES_OF_RAW
    return before // 2 + raw + 2 * BYTES_OF_PICTURE * (len(plan.to_do) + len(plan.described))


def _manifest(
    plan: Plan, journal: Journal, made: Assembled, served: Generation | None, precision: Precision, note: str
) -> Manifest:
    return Manifest(
        format=FORMAT,
        recipe=precision.recipe,
        gallery=str(plan.gallery),
        created=datetime.now(UTC),
        counts=Counts(images=len(made.hashes), regions=made.regions, skipped=len(plan.skipped)),
        changes=count_changes(served, made.hashes, plan.described),
        learned=journal.learned,
        background=made.background,
        note=note,
        min_side=plan.rules.min_side,
        limits=asdict(plan.rules.limits),
        left_out=left_out_sentence(plan.left_out),
        precisions=precision.others,
        files=made.shared,
    )
