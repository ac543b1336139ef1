"""Plan a wave: what of a build's pictures can be searched while it goes on."""

from collections.abc import Iterable
from pathlib import Path

from index.building.previous_generation import PreviousGeneration
from index.building.update_plan import Plan, Reused
from index.storage.folder_scan import ScannedFile, start_of_paths
from retrieval.images.places import join_id


def wave_plan(plan: Plan) -> Plan | None:
    """What was described or is reused so far. A picture that has changed and was not read again keeps its old version.

    None if a picture of the previous generation cannot be kept until it is read again, because its thumbnail is
    damaged, or it is too small for the rules.
    """
    part = Plan(
        plan.gallery,
        plan.base,
        dict(plan.reused),
        set(plan.described),
        list(plan.skipped),
        found=plan.found,
        left_out=plan.left_out,
        rules=plan.rules,
    )
    base, to_read = plan.base, to_be_read(plan)
    if base is None:
        return part
    outside = _starts(base.generation.manifest.more_folders) - _starts(plan.rules.more_folders)
    for file in [*(file.id for file in to_read), *_perhaps_moved(plan, base, to_read)]:
        numbers = base.of_file(file)
        if numbers and not base.usable(numbers):
            return None
        for number in numbers:
            entry = base.entries[number]
            path = plan.found[file].relative if file in plan.found else entry.path
            if not path.startswith(tuple(outside)):
                part.reused[join_id(file, entry.place)] = Reused(number, path, entry.mtime)
    return part


def expected_pictures(plan: Plan, part: Plan) -> int:
    """About how many pictures the finished index will have, from the plan of the build and that of a wave."""
    kept = {plan.base.entries[reused.number].source for reused in part.reused.values()} if plan.base else set[str]()
    return len(part.images) + sum(file.id not in kept for file in to_be_read(plan))


def _starts(folders: Iterable[Path | str]) -> set[bytes]:
    return {start_of_paths(Path(folder)) for folder in folders}


def to_be_read(plan: Plan) -> list[ScannedFile]:
    """The files that have not been read yet."""
    return [file for file in plan.to_do if file.id not in plan.read]


def _perhaps_moved(plan: Plan, base: PreviousGeneration, to_read: list[ScannedFile]) -> list[str]:
    """The files that are gone and may be the same as a file that has not been read yet."""
    contents = {sha256 for file in to_read for sha256 in base.hashes(file)}
    gone = (file for file in base.files() if file not in plan.found)
    return [file for file in gone if contents and base.contents(file) in contents]
