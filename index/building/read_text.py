"""Read what is written in the pictures of the served generation that have not been read yet."""

import os
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from pyarrow import ArrowException

from index.building.decode_tasks import IndexedFile
from index.building.decoder_pool import DecoderPool
from index.building.jobs import LOCK_TIMEOUT, build_state
from index.building.ordered_results import ordered_results
from index.building.reading_order import recent_first
from index.gallery import Gallery
from index.storage.generation import current_folder, generations, served_name
from index.storage.manifest import read_manifest
from index.storage.picture_contents import contents_of
from index.storage.tables import read_tables
from index.storage.written_text import WrittenText
from retrieval.errors import BuildCancelled, IndexProblem, UnreadableImage
from retrieval.images.file_kinds import UNREAD
from retrieval.optional_packages import RAPIDOCR
from retrieval.types import Progress, WrittenLine

SAVE_EVERY = 2.0
"""Seconds between commits: the most work that a killed process loses."""
PAUSE = 0.5
"""Seconds between checks whether a build still runs."""
FOR_NOW = frozenset({"missing", "permission", "unreadable", "special", "changed", "text", UNREAD})
"""Reasons why a file cannot be read that may pass; for all others the picture counts as read, without text."""
StartPool = Callable[[], AbstractContextManager[DecoderPool]]

LOCK, STOP = "written-text.lock", "written-text.stop"
STOPPED = "Stopped reading. What was read is kept, and the next update continues from there."


def read_text(
    index_dir: Path, start_pool: StartPool, workers: int, progress: Progress, incomplete: bool = False
) -> int:
    """Read the pictures that have not been read yet, and return their number; 0 if another process is at it.

    Everything can be searched meanwhile, and what searches find is read next. A build may run: reading waits for it,
    and goes on with the new generation. Text of pictures that no generation has any more is removed at the end. The
    pool is started only if there is something to read.

    Raises RuntimeMissing without rapidocr, IndexProblem, what `progress` raises, and BuildCancelled after
    `stop_reading`. What was read until then is kept.
    """
    RAPIDOCR.check("Reading what is written in pictures")
    lock = FileLock(index_dir / LOCK)
    try:
        lock.acquire(timeout=LOCK_TIMEOUT)
    except Timeout:
        return 0
    try:
        (index_dir / STOP).unlink(missing_ok=True)
        return _read_all(_Reading(index_dir, start_pool, workers, progress, incomplete))
    finally:
        lock.release()


def is_reading(index_dir: Path) -> bool:
    """Whether a process is reading pictures of this index."""
    if not (index_dir / LOCK).exists():
        return False
    try:
        with FileLock(index_dir / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # read-only folder: nothing is read there
        return False


def stop_reading(index_dir: Path) -> bool:
    """Ask the process that reads pictures of this index to stop; False if there is none."""
    if not is_reading(index_dir):
        return False
    (index_dir / STOP).touch()
    return True


@dataclass(frozen=True, slots=True)
class TextProgress:
    """How many of the different pictures of a generation have been read."""

    read: int
    total: int


def text_progress(gallery: Gallery) -> TextProgress:
    """How many pictures of a gallery have been read."""
    contents = np.unique(gallery.contents.contents)
    return TextProgress(int(np.isin(contents, gallery.written_text.contents()).sum()), len(contents))


@dataclass(frozen=True, slots=True)
class _Reading:
    """Where and how to read."""

    index_dir: Path
    start_pool: StartPool
    workers: int
    progress: Progress
    incomplete: bool

    @property
    def text(self) -> WrittenText:
        return WrittenText(self.index_dir)

    def check(self) -> None:
        """Wait for a running build. Raises BuildCancelled after `stop_reading`."""
        while True:
            if (self.index_dir / STOP).exists():
                raise BuildCancelled(STOPPED)
            state = build_state(self.index_dir)
            if state is None or state.state != "running":
                return
            self.progress("Waiting for the build", 0, 0)
            time.sleep(PAUSE)


def _read_all(reading: _Reading) -> int:
    tried: set[int] = set()
    before = len(reading.text.contents())
    while True:
        reading.check()
        served = served_name(reading.index_dir)
        files = _files(current_folder(reading.index_dir))
        known = set(reading.text.contents().tolist()) | tried
        unread = {contents: file for contents, file in files.items() if contents not in known}
        if not unread:
            break
        tried |= _read(unread, len(files), served, reading)
    read = len(reading.text.contents()) - before
    reading.text.keep_only(np.array(sorted(_kept(reading.index_dir)), np.int64))
    return read


def _read(unread: dict[int, IndexedFile], total: int, served: str, reading: _Reading) -> set[int]:
    """Read these pictures, as long as the generation `served` is served. Returns the contents of those tried."""
    tried: set[int] = set()
    readings: dict[int, list[WrittenLine]] = {}
    saved = time.monotonic()
    try:
        # Close the results before the pool: a thread that waits for a stopped pool would wait forever.
        with reading.start_pool() as pool, closing(_results(unread, pool, reading)) as results:
            for (contents, _), lines in results:
                tried.add(contents)
                if lines is not None:
                    readings[contents] = lines
                reading.progress("Reading what is written", total - len(unread) + len(tried), total)
                if time.monotonic() - saved > SAVE_EVERY:
                    reading.text.add(readings)
                    readings, saved = {}, time.monotonic()
                reading.check()
                if served_name(reading.index_dir) != served:
                    break
    finally:
        reading.text.add(readings)
    return tried


def _results(
    unread: dict[int, IndexedFile], pool: DecoderPool, reading: _Reading
) -> Generator[tuple[tuple[int, IndexedFile], list[WrittenLine] | None]]:
    """What is written in each picture; None if it could not be read for now. Threads wait for the pool's workers."""

    def read(one: tuple[int, IndexedFile]) -> Generator[list[WrittenLine] | None]:
        yield _read_one(*one, pool, reading.incomplete)

    return ordered_results(read, recent_first(unread, reading.index_dir), reading.workers)


def _read_one(contents: int, file: IndexedFile, pool: DecoderPool, incomplete: bool) -> list[WrittenLine] | None:
    try:
        read = pool.read_text(file, incomplete)
    except UnreadableImage as problem:
        return None if problem.reason in FOR_NOW else []
    return read.lines if int(contents_of([read.sha256])[0]) == contents else None  # else it has changed


def _files(generation: Path) -> dict[int, IndexedFile]:
    """A picture for each of the different contents of a generation's pictures."""
    manifest = read_manifest(generation)
    images, gallery = read_tables(generation, manifest.more_folders).images, Path(manifest.gallery)
    contents = contents_of(images["sha256"].to_pylist()).tolist()
    columns = (images[name].to_pylist() for name in ("path", "place", "bytes", "mtime", "file_sha256"))
    return {
        one: IndexedFile(gallery / os.fsdecode(path), *facts)
        for one, path, *facts in zip(contents, *columns, strict=True)
    }


def _kept(index_dir: Path) -> set[int]:
    """The contents of all generations that can be served."""
    kept: set[int] = set()
    for folder in generations(index_dir):
        with suppress(IndexProblem, OSError, ValueError, ArrowException):  # a damaged one, or one just deleted
            kept |= _files(folder).keys()
    return kept
