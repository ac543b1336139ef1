"""Build a new generation from a gallery folder, reusing unchanged images of the previous one."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from index.building.assemble import assemble
from index.building.comparable_precision import Precision, agree_on_precision
from index.building.describe_all import Meanwhile, describe_all
from index.building.describe_image import Executor
from index.building.journal import Journal, JournalKey, open_journal, remove_journal
from index.building.new_manifest import BuildFacts, new_manifest
from index.building.previous_generation import PreviousGeneration
from index.building.update_plan import (
    FEW,
    MOST_REGIONS,
    Plan,
    make_plan,
    reasons_to_reread,
    refuse_when_gone,
    refuse_when_unreadable,
    reread_notice,
)
from index.building.waves import UnderWay, WaveOptions, Waves
from index.storage.disk_space import need_space, room_in
from index.storage.folder_scan import Scan, ScannedFile, scan_gallery
from index.storage.gallery_rules import DEFAULT_RULES, GalleryRules, left_out_sentence
from index.storage.generation import Generation, complete_generation, served_generation
from index.storage.publishing import Prepare, no_preparation, publish, remove_waves, scratch_folder
from index.storage.skipped_files import read_skipped
from index.stores.ivf import wants_cells
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.descriptors.whitening import SAMPLE
from retrieval.errors import IndexProblem
from retrieval.images.limits import SOURCE_LIMITS
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
    waves: WaveOptions | None = None
    """When what was read so far is served while the build goes on; never if all pictures are described again."""
    scan: Scan | None = None
    """The files to index, such as a sample of the gallery; None for all that are found in its folder."""


def build(
    gallery: Path, index_dir: Path, executor: Executor, progress: Progress, options: BuildOptions = BuildOptions()
) -> Path:
    """Index every picture below `gallery`, serve the result, and return the folder of the served generation.

    `executor` describes the images: new and changed ones, or all if the recipe changed or the gallery has outgrown its
    whitening. Unusable files are recorded with a reason and skipped. A build resumes an interrupted one from the
    journal, even if the executor is a different one. CURRENT changes only when a new generation is complete: a wave
    on the way, or the last one, which is not made if nothing changed.

    Raises GalleryProblem, DiskFull, and whatever `executor` and `options.prepare` raise.
    """
    # Several BLAS threads wait for the slowest by spinning: beside another busy program a build would hardly advance.
    with room_in(index_dir), one_blas_thread(), scratch_folder(index_dir) as folder:
        progress("Looking for pictures", 0, 0)
        shown, damage = _served(index_dir)
        served = complete_generation(shown) if shown else None
        rules = options.rules.with_own_folder(index_dir)
        scan = options.scan or scan_gallery(gallery, rules, read_skipped(shown.folder) if shown else ())
        refuse_when_gone(gallery, shown, scan, options.full, rules.more_folders)
        found, gallery = scan.found, gallery.resolve()
        precision, reasons = _precision(served, executor, found, progress, options)
        recipe = precision.recipe
        base = PreviousGeneration(served, rules) if served and not reasons else None
        files = {file.id: (file.bytes, file.mtime) for file in found}
        key = JournalKey(_journal_settings(recipe, base, rules), str(gallery), files)
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
            facts = BuildFacts(served, precision, options.note)
            under_way = UnderWay(index_dir, plan, journal, executor.embedder, options.store, facts)
            waves = Waves(under_way, shown, options.waves) if options.waves and not reasons else None
            describe_all(plan, executor, journal, progress, waves.meanwhile if waves else Meanwhile())
            refuse_when_unreadable(plan, shown, options.full)
            unchanged = served is shown and not damage and plan.changes_nothing() and not precision.notice
            if served and unchanged and _is_up_to_date(served, plan, options):
                final = served.folder
                options.prepare(final)
                remove_waves(index_dir)
            else:
                made = assemble(plan, journal, executor.embedder.classes, folder, progress, options.store)
                final = publish(
                    folder,
                    index_dir,
                    new_manifest(facts, plan, made),
                    served.folder if served else None,
                    options.prepare,
                )
        remove_journal(index_dir)
        return final


def _served(index_dir: Path) -> tuple[Generation | None, str]:
    try:
        return served_generation(index_dir, thorough=True)  # its vectors are copied
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
    same_folders = manifest.more_folders == tuple(map(str, options.rules.more_folders))
    return searchable and same_folders and before == now and limited == asdict(options.rules.limits)


def _journal_settings(recipe: Recipe, base: PreviousGeneration | None, rules: GalleryRules) -> str:
    """Only a build of the same recipe, whitening, limits and folders can be resumed."""
    whitening = base.generation.manifest.files["whitening.npz"].sha256 if base else "to be learned"
    return json.dumps([asdict(recipe), whitening, rules.min_side, asdict(rules.limits), *map(str, rules.more_folders)])


def _estimated_bytes(plan: Plan, journal: Journal) -> int:
    """Approximate number of bytes that the build will write."""
    before = sum(facts.bytes for facts in plan.base.generation.manifest.files.values()) if plan.base else 0
    raw = 0 if journal.whitening else min(len(plan.to_do), SAMPLE // MOST_REGIONS) * BYTES_OF_RAW
    return before // 2 + raw + 2 * BYTES_OF_PICTURE * (len(plan.to_do) + len(plan.described))
