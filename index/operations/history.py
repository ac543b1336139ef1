"""List the generations of an index, and roll back to an earlier one."""

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from index.building.jobs import locked
from index.operations.verify import verify_generation
from index.storage.generation import complete_generations, current_folder, generations, served_name
from index.storage.manifest import file_faults, read_manifest
from index.storage.publishing import Prepare, no_preparation, point_current_at
from retrieval.errors import IndexProblem
from retrieval.types import Progress, quiet


@dataclass(frozen=True, slots=True)
class StoredGeneration:
    """A generation on disk. `problem` says what is wrong; without a readable manifest only name and size are known."""

    name: str
    served: bool
    bytes: int
    created: datetime | None = None
    images: int = 0
    regions: int = 0
    problem: str = ""
    found: int = 0
    """About how many pictures the finished index will have, if the build goes on or was interrupted; else 0."""


def stored_generations(index_dir: Path, thorough: bool = False, progress: Progress = quiet) -> list[StoredGeneration]:
    """All generations, oldest first. `thorough` reads every byte. Raises IndexProblem if there is none."""
    folders = generations(index_dir)
    if not folders:
        read_manifest(current_folder(index_dir))  # raises the reason
    served = served_name(index_dir)
    return [_stored(folder, folder.name == served, thorough, progress) for folder in folders]


def roll_back(index_dir: Path, to: str = "", progress: Progress = quiet, prepare: Prepare = no_preparation) -> Path:
    """Serve the generation called `to`, or the newest intact one before the served one; returns its folder.

    Raises IndexProblem if it is missing or damaged, BuildRunning, and what `prepare` raises.
    """
    if not generations(index_dir):
        raise IndexProblem(f"There is no generation in {index_dir} to roll back to.")
    with locked(index_dir):
        folder = _named(index_dir, to, progress) if to else _last_intact(index_dir, progress)
        prepare(folder)
        point_current_at(index_dir, folder.name)
        return folder


def _stored(folder: Path, served: bool, thorough: bool, progress: Progress) -> StoredGeneration:
    size = _size(folder)
    try:
        manifest = read_manifest(folder)
    except IndexProblem as problem:
        return StoredGeneration(folder.name, served, size, problem=str(problem))
    counts = manifest.counts
    faults = "; ".join(file_faults(folder, manifest.files, not thorough, progress if thorough else quiet).values())
    found = manifest.wave.found if manifest.wave else 0
    return StoredGeneration(folder.name, served, size, manifest.created, counts.images, counts.regions, faults, found)


def _size(folder: Path) -> int:
    """The bytes of all files in a folder, which may be deleted meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(parent, name).stat().st_size
    return total


def _last_intact(index_dir: Path, progress: Progress) -> Path:
    """The newest intact and complete generation before the served one, or the newest of all if none is served."""
    folders = {folder.name: folder for folder in generations(index_dir)}
    served = folders.get(served_name(index_dir))
    earlier = complete_generations(index_dir, served) if served else list(reversed(folders.values()))
    for folder in earlier:
        if not verify_generation(folder, progress):
            return folder
    kind = "intact generation" if len(folders) > 1 else "generation"
    raise IndexProblem(f"There is no earlier {kind} in {index_dir} to roll back to. Nothing was changed.")


def _named(index_dir: Path, name: str, progress: Progress) -> Path:
    folders = {folder.name: folder for folder in generations(index_dir)}
    if name not in folders:
        raise IndexProblem(f"There is no generation {name!r} in {index_dir}; choose one of {', '.join(folders)}.")
    faults = verify_generation(folders[name], progress)
    if faults:
        raise IndexProblem(f"{name} is damaged and cannot be served: {faults[0].rstrip('.')}. Nothing was changed.")
    return folders[name]
