"""Make the manifest of a new generation."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from index.building.assemble import Assembled
from index.building.comparable_precision import Precision
from index.building.update_plan import Plan, count_changes
from index.storage.gallery_rules import left_out_sentence
from index.storage.generation import Generation
from index.storage.manifest import FORMAT, Counts, Manifest, Wave


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """What the manifests of a build's generations have in common."""

    before: Generation | None
    """The last complete generation."""
    precision: Precision
    note: str


def new_manifest(facts: BuildFacts, plan: Plan, made: Assembled, wave: Wave | None = None) -> Manifest:
    """The manifest of what was made from a plan; its `files` are only those that were linked."""
    return Manifest(
        format=FORMAT,
        recipe=facts.precision.recipe,
        gallery=str(plan.gallery),
        more_folders=tuple(map(str, plan.rules.more_folders)),
        created=datetime.now(UTC),
        counts=Counts(images=len(made.entries), regions=made.regions, skipped=len(plan.skipped)),
        changes=count_changes(facts.before, made.hashes, plan.described),
        learned=made.learned,
        background=made.background,
        note=facts.note,
        min_side=plan.rules.min_side,
        limits=asdict(plan.rules.limits),
        left_out=left_out_sentence(plan.left_out),
        wave=wave,
        precisions=facts.precision.others,
        files=made.files,
    )
