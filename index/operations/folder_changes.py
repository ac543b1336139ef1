"""Compare the gallery folder with the index: new, changed and missing images."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from index.building.previous_generation import MTIME_MARGIN, is_tried_again, rules_of
from index.storage.folder_scan import ScannedFile, Skipped, scan_gallery
from index.storage.gallery_rules import DEFAULT_RULES, GalleryRules, is_left_out
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from index.storage.skipped_files import read_skipped
from index.storage.tables import ImageEntry, read_tables
from retrieval.descriptors.compatibility import recipe_problem
from retrieval.errors import GalleryProblem
from retrieval.networks.weights import file_sha256
from retrieval.printable_names import printable
from retrieval.types import Progress, quiet

EXAMPLES = 3
BRING_IN = "Update the index on the Index page or with `boxfind build`."


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """Sorted ids of files: not indexed yet, changed since, no longer in the folder, and those to be left out now."""

    new: list[str]
    changed: list[str]
    missing: list[str]
    left_out: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.new) + len(self.changed) + len(self.missing) + len(self.left_out)


def find_folder_changes(
    folder: Path,
    progress: Progress = quiet,
    rules: GalleryRules = DEFAULT_RULES,
    gallery: Path | None = None,
) -> FolderChanges:
    """Compare the gallery with an intact generation. Touched files are read. Raises GalleryProblem.

    `rules` and `gallery` are those of the next build; by default the gallery is the one that the generation names.
    """
    manifest = read_manifest(folder)
    indexed = {row["path"]: ImageEntry(**row) for row in read_tables(folder, manifest.more_folders).images.to_pylist()}
    records = read_skipped(folder)
    skipped = {file.file: file for file in records}
    tried_again = {file.source for file in records if file.place and is_tried_again(file, rules_of(manifest), rules)}
    new, changed, left_out = [], [], []
    scan = scan_gallery(gallery or Path(manifest.gallery), rules.with_own_folder(folder.parent), skipped.values())
    for number, picture in enumerate(scan.found, start=1):
        progress("Comparing the folder", number, len(scan.found))
        entry = indexed.pop(picture.relative, None)
        if entry is not None and min(entry.width, entry.height) < rules.min_side:
            left_out.append(picture.id)
        elif entry is not None:
            changed += [picture.id] * (picture.id in tried_again or has_changed(picture, entry, manifest.created))
        elif picture.id not in skipped or is_tried_again(skipped[picture.id], rules_of(manifest), rules):
            new.append(picture.id)
        else:
            changed += [picture.id] * is_other_file(picture, skipped[picture.id])
    paths = {entry.path for entry in scan.left_out}
    missing: list[str] = []
    for path, entry in indexed.items():
        (left_out if is_left_out(path, paths) else missing).append(entry.source)
    return FolderChanges(new, changed, sorted(missing), sorted(left_out))


def folder_change_sentences(
    index_dir: Path, progress: Progress = quiet, rules: GalleryRules = DEFAULT_RULES
) -> list[str]:
    """Sentences on how an intact index differs from the program's recipe and from its folder; empty if it does not."""
    folder = current_folder(index_dir)
    manifest = read_manifest(folder)
    problem = recipe_problem(manifest.recipe)
    said = [problem] if problem else []
    try:
        drift = find_folder_changes(folder, progress, rules)
    except GalleryProblem as error:
        return [*said, str(error)]
    for names, one, many in (
        (drift.new, "picture is not in the index yet", "pictures are not in the index yet"),
        (drift.changed, "picture has changed since it was indexed", "pictures have changed since they were indexed"),
        (drift.missing, "picture of the index is not in the folder", "pictures of the index are not in the folder"),
        (drift.left_out, "picture of the index is to be left out", "pictures of the index are to be left out"),
    ):
        if names:
            said.append(f"{len(names)} {one if len(names) == 1 else many}: {_examples(names)}. {BRING_IN}")
    return said


def has_changed(picture: ScannedFile, entry: ImageEntry, built: datetime) -> bool:
    """Whether a file's contents changed since indexing. The file is read only if size and mtime cannot decide."""
    if picture.bytes != entry.bytes:
        return True
    if picture.mtime == entry.mtime < built.timestamp() - MTIME_MARGIN:
        return False
    try:
        return file_sha256(picture.path) != (entry.file_sha256 or entry.sha256)
    except OSError:
        return True


def is_other_file(picture: ScannedFile, skipped: Skipped) -> bool:
    """Whether a skipped file has changed, by size and mtime; False if these were unknown."""
    known = skipped.bytes or skipped.mtime
    return bool(known) and (picture.bytes, picture.mtime) != (skipped.bytes, skipped.mtime)


def _examples(names: list[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:EXAMPLES])
    return shown if len(names) <= EXAMPLES else f"{shown}, …"
