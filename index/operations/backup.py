"""Back up the served generation, and what is written in pictures, to one file, and restore them.

The file is a plain tar archive. Unpacked by hand into an empty folder, it is a valid index.
"""

import io
import os
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from index.building.jobs import locked
from index.operations.verify import verify_generation
from index.storage.disk_space import need_space
from index.storage.file_system import sync_tree
from index.storage.generation import NAME, complete_generations, current_folder, wave_of
from index.storage.manifest import FILE, read_manifest
from index.storage.publishing import Prepare, next_folder, no_preparation, point_current_at
from index.storage.written_text import FILE as TEXT
from index.storage.written_text import WrittenText
from retrieval.errors import IndexProblem
from retrieval.types import Progress, quiet

MOST_FILES = 100_000
"""Limit of files in an archive, enough for about fifty million pictures."""
MEGABYTE = 10**6


def backup(index_dir: Path, out: Path, progress: Progress = quiet) -> str:
    """Verify the served generation and write it to a new file; returns the generation's name.

    While a build goes on, that is the complete generation that it started from. Raises DiskFull, and IndexProblem if
    `out` exists, the index is damaged, or the first build has not finished.
    """
    if out.exists():
        raise IndexProblem(f"{out} already exists; choose another name, or move it away.")
    while True:
        served = current_folder(index_dir)
        folder = _complete(served)
        try:
            _back_up(folder, out, progress)
            return folder.name
        except (IndexProblem, FileNotFoundError):
            if current_folder(index_dir) == served:
                raise
            # else a build deleted this generation meanwhile: back up the newer one


def restore(archive: Path, index_dir: Path, progress: Progress = quiet, prepare: Prepare = no_preparation) -> Path:
    """Restore a backup as a new generation and serve it; returns its folder.

    Existing generations are kept. If the backup is damaged, the served one does not change. Raises IndexProblem,
    BuildRunning, DiskFull, and what `prepare` raises; in that case the new generation is kept but not served.
    """
    if not archive.is_file():
        raise IndexProblem(f"The file {archive} does not exist.")
    # A build removes the temporary folder by its prefix if this process is killed.
    with locked(index_dir), TemporaryDirectory("", "tmp-", index_dir, ignore_cleanup_errors=True) as scratch:
        need_space(index_dir, archive.stat().st_size)
        folder = _unpacked(archive, Path(scratch), progress)
        faults = verify_generation(folder, progress)
        if faults:
            raise _refusal(archive, faults[0])
        WrittenText(index_dir).add_all(WrittenText(Path(scratch)))
        final = next_folder(index_dir)
        sync_tree(folder)
        folder.rename(final)
        prepare(final)
        point_current_at(index_dir, final.name)
        return final


def _complete(served: Path) -> Path:
    """The served generation, or the last complete one. Raises IndexProblem if there is none yet."""
    if wave_of(served) is None:
        return served
    complete = complete_generations(served.parent, served)
    if not complete:
        raise IndexProblem("The first build of this index has not finished; back it up when it has.")
    return complete[0]


def _back_up(folder: Path, out: Path, progress: Progress) -> None:
    faults = verify_generation(folder, progress)
    if faults:
        raise IndexProblem(f"The index is damaged and was not backed up: {faults[0].rstrip('.')}.")
    part = out.with_name(f"{out.name}.{os.getpid()}.part")
    try:
        _write(part, folder, progress)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def _write(part: Path, folder: Path, progress: Progress) -> None:
    names = ["manifest.json", *read_manifest(folder).files]
    total = sum((folder / name).stat().st_size for name in names)
    need_space(part.parent, total)
    with part.open("wb") as file, TemporaryDirectory(dir=part.parent) as scratch:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            pointer = f"{folder.name}\n".encode()
            tar.addfile(_member("CURRENT", len(pointer)), io.BytesIO(pointer))
            for name in names:
                progress("Writing the archive (MB)", file.tell() // MEGABYTE, total // MEGABYTE)
                _add_file(tar, f"{folder.name}/{name}", folder / name)
            text = WrittenText(folder.parent).copy_to(Path(scratch))
            if text is not None:
                _add_file(tar, text.name, text)
        file.flush()
        os.fsync(file.fileno())


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    with path.open("rb") as source:
        tar.addfile(_member(name, os.fstat(source.fileno()).st_size), source)


def _member(name: str, size: int) -> tarfile.TarInfo:
    """A tar member without owner, host or time."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _unpacked(archive: Path, scratch: Path, progress: Progress) -> Path:
    """Unpack an archive and check its file names; the generation's folder below `scratch`, not verified yet."""
    try:
        _extract(archive, scratch, progress)
        name = (scratch / "CURRENT").read_text(encoding="utf-8").strip()
        folder = scratch / name
        unpacked = {path.relative_to(scratch).as_posix() for path in scratch.rglob("*") if path.is_file()}
        expected = {f"{name}/{file}" for file in ("manifest.json", *read_manifest(folder).files)}
    except (tarfile.TarError, EOFError, ValueError, FileNotFoundError, IndexProblem) as problem:
        raise _refusal(archive, str(problem)) from None
    if not NAME.fullmatch(name) or unpacked - {TEXT} != {"CURRENT"} | expected:
        raise _refusal(archive, "files are missing or unexpected")
    return folder


def _extract(archive: Path, scratch: Path, progress: Progress) -> None:
    """Extract regular files with names of generation files only. Raises ValueError, TarError."""
    total = archive.stat().st_size
    with tarfile.open(archive, "r:") as tar:  # uncompressed only, so no archive unpacks to more than its size
        for number, member in enumerate(tar):
            if number >= MOST_FILES or member.issparse() or not (member.isreg() and _is_expected(member.name)):
                raise ValueError(f"it must not contain {member.name!r}")
            progress("Unpacking (MB)", member.offset // MEGABYTE, total // MEGABYTE)
            tar.extract(member, scratch, filter="data")


def _is_expected(name: str) -> bool:
    folder, _, file = name.partition("/")
    return name in ("CURRENT", TEXT) or bool(
        NAME.fullmatch(folder) and (file == "manifest.json" or FILE.fullmatch(file))
    )


def _refusal(archive: Path, reason: str) -> IndexProblem:
    return IndexProblem(f"{archive} is not a complete backup: {reason.rstrip('.')}. Nothing was changed.")
