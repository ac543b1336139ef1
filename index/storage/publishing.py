"""Publish a generation: complete its folder, and make CURRENT name it."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from index.storage.file_system import replace_file, sync, sync_tree
from index.storage.generation import generation_number, generations, served_name, wave_of
from index.storage.manifest import BLOB_FOLDERS, FileFacts, Manifest
from retrieval.networks.weights import file_sha256

Prepare = Callable[[Path], None]
"""Called with a complete generation before it is served; raises to prevent that."""


@contextmanager
def scratch_folder(index_dir: Path) -> Iterator[Path]:
    """A temporary folder on the index's disk, removed afterwards unless it was published.

    Call it only while holding the build lock: it removes the folders of killed builds.
    """
    index_dir.mkdir(parents=True, exist_ok=True)
    for left in index_dir.glob("tmp-*"):
        shutil.rmtree(left, ignore_errors=True)
    with wave_folder(index_dir) as folder:
        yield folder


@contextmanager
def wave_folder(index_dir: Path) -> Iterator[Path]:
    """Another one, for a wave, beside that of the build."""
    folder = index_dir / f"tmp-{os.getpid()}-{secrets.token_hex(4)}"
    for name in BLOB_FOLDERS:
        (folder / name).mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def no_preparation(folder: Path) -> None:
    """Prepare nothing: the generation is searched locally."""


def publish(
    folder: Path, index_dir: Path, manifest: Manifest, before: Path | None = None, prepare: Prepare = no_preparation
) -> Path:
    """Write the manifest of a finished folder, prepare it, serve it, and return its final path.

    `manifest.files` has the facts of files with a known hash; the others are hashed here. All earlier generations are
    deleted but one: `before`, or else the current one unless it is a wave.
    """
    kept = {before.name if before else served_name(index_dir)} - {wave.name for wave in waves(index_dir)}
    final = _publish(folder, index_dir, manifest, prepare)
    _delete(old for old in generations(index_dir) if old.name not in kept | {final.name})
    return final


def publish_wave(folder: Path, index_dir: Path, manifest: Manifest) -> Path:
    """Like `publish`, for a wave. Earlier waves are deleted but the one that was served, and nothing else is."""
    before = waves(index_dir)
    kept = served_name(index_dir)
    final = _publish(folder, index_dir, manifest, no_preparation)
    _delete(old for old in before if old.name != kept)
    return final


def waves(index_dir: Path) -> list[Path]:
    """The folders of generations that builds published while they went on."""
    return [folder for folder in generations(index_dir) if wave_of(folder) is not None]


def remove_waves(index_dir: Path) -> None:
    """Delete all waves, of which none may be served."""
    _delete(waves(index_dir))


def _publish(folder: Path, index_dir: Path, manifest: Manifest, prepare: Prepare) -> Path:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = {name: manifest.files.get(name) or _measured(folder / name) for name in names}
    manifest = manifest.model_copy(update={"files": files})
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    sync_tree(folder)
    final = next_folder(index_dir)
    folder.rename(final)
    try:
        prepare(final)
        point_current_at(index_dir, final.name)
    except BaseException:
        if served_name(index_dir) != final.name:  # the failure may come after CURRENT was replaced
            shutil.rmtree(final, ignore_errors=True)
        raise
    return final


def _delete(folders: Iterable[Path]) -> None:
    """Delete generations. What a killed process leaves of one is no generation, and the next build removes it."""
    for folder in folders:
        left = folder.with_name(f"tmp-{folder.name}")
        with suppress(OSError):  # on Windows, while a reader has a file open
            folder = folder.rename(left)
        shutil.rmtree(folder, ignore_errors=True)


def next_folder(index_dir: Path) -> Path:
    """The folder for a new generation, numbered after all others."""
    number = max(map(generation_number, generations(index_dir)), default=0) + 1
    return index_dir / f"gen-{number:06d}-{secrets.token_hex(2)}"


def point_current_at(index_dir: Path, name: str) -> None:
    """Serve another generation: replace CURRENT atomically and sync it. Call it only while holding the build lock."""
    pointer = index_dir / "CURRENT.tmp"
    pointer.write_text(name + "\n", encoding="utf-8")
    sync(pointer)
    replace_file(pointer, index_dir / "CURRENT")
    sync(index_dir)


def _measured(path: Path) -> FileFacts:
    return FileFacts(bytes=path.stat().st_size, sha256=file_sha256(path))
