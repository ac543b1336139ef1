"""Decode untrusted images in worker processes, so that a crash or hang affects one image only."""

import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import TimeoutError as TooLong
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

from index.building.decode_tasks import (
    BadPlace,
    DecodedImage,
    IndexedFile,
    ReadText,
    Several,
    Unchanged,
    Wanted,
    decode_bytes,
    decode_file,
    encode_one,
    probe_source,
    read_one,
    read_text,
    size_and_mtime,
    stream_source,
)
from index.building.spool import Spool
from index.building.worker_process import WorkerContext, prepare_worker
from index.storage.sources import BY_DEFAULT, NO_PLACE, Contents, Reading, list_contents
from retrieval.errors import Busy, UnreadableImage
from retrieval.images.decode import LoadedImage
from retrieval.images.limits import LIMITS
from retrieval.images.places import named_place, page_place, place_after
from retrieval.printable_names import shown

SECONDS = 20.0
"""Timeout per image."""
HASHED_BYTES = 20_000_000
"""Bytes of a document or film that are hashed in a second, at least, also from a slow disk."""
MOST_PROBLEMS = 20
"""How often a document is continued behind a page that crashes the worker or takes too long."""
PART = 8
"""Pages of a document that a worker decodes at a time, so that several share a long one."""
WORKER_REASONS = ("decoder_hang", "decoder_crash")
MEMORY = 3 * 1024**3
"""Bytes that a worker may allocate beyond its memory at start."""
LOST_SECONDS = 1.0
"""How often a waiting task looks whether its pool still works."""
PICTURES_PER_WORKER = 2000
"""For workers that decode, in case a decoder leaks memory."""


class DecoderPool:
    """A pool of worker processes that read and decode images. Thread-safe; use it as a context manager or close it."""

    def __init__(
        self,
        workers: int = 1,
        seconds: float = SECONDS,
        memory: int = MEMORY,
        keep_memory: bool = True,
        pictures: int = PICTURES_PER_WORKER,
    ) -> None:
        """`keep_memory`: workers keep freed memory for the next image, which is faster for many images in a row.

        A worker is replaced after `pictures` images.
        """
        self._seconds, self._workers = seconds, workers
        self._start = partial(
            ProcessPool,
            max_workers=workers,
            max_tasks=pictures,
            initializer=prepare_worker,
            initargs=(memory, keep_memory),
            context=WorkerContext(),  # spawn, not fork: locks of other threads are not copied
        )
        self._lock = threading.Lock()
        self._closed = False
        self._pool = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers without waiting for their tasks."""
        with self._lock:
            self._closed = True
        _stop(self._pool)

    def decode_file(
        self,
        path: Path,
        side: int,
        keypoints: int = 0,
        known: frozenset[str] = frozenset(),
        incomplete: bool = False,
        tiled_from: int = 0,
        tiles: int = 1,
        stride: int = 32,
    ) -> DecodedImage | Unchanged:
        """Read and decode an image file; Unchanged if its SHA-256 is in `known`. Raises UnreadableImage.

        `side`, `keypoints`, `tiled_from`, `tiles` and `stride` are fields of the recipe. Keypoint detection takes most
        of the time. With `incomplete`, a picture of which a part is missing is decoded too.
        """
        wanted = side, keypoints, known, incomplete, tiled_from, tiles, stride
        decoded: DecodedImage | Unchanged = self._run(path.name, decode_file, path, *wanted)
        return decoded

    def decode_source(
        self, path: Path, wanted: Wanted, known: frozenset[str] = frozenset()
    ) -> Generator[DecodedImage | Unchanged | Several | BadPlace]:
        """Read and decode the pictures of a file, one after the other. Raises UnreadableImage.

        A file with one picture gives a DecodedImage; if its SHA-256 is in `known`, any file gives Unchanged. A file
        that holds several gives Several, then a DecodedImage or BadPlace for each. The limit of time is for each
        picture; one that crashes the worker, or takes too long, does not hide the others of its document.
        """
        size = size_and_mtime(path)[0]
        first = self._run(path.name, probe_source, path, wanted, known, seconds=self._seconds + size / HASHED_BYTES)
        yield first
        if isinstance(first, Several):
            yield from self._pictures(path, wanted, first)

    def _pictures(self, path: Path, wanted: Wanted, file: Several) -> Generator[DecodedImage | BadPlace]:
        problems = 0
        with closing(self._in_parts(path, wanted, file)) as results:
            for result in results:
                yield result
                problems += isinstance(result, BadPlace) and result.reason in WORKER_REASONS
                if problems > MOST_PROBLEMS:
                    sentence = f"{shown(path.name)} has too many pages that cannot be decoded; the others are left out."
                    yield BadPlace(place_after(result.place), "too_complex", sentence)
                    return

    def _in_parts(self, path: Path, wanted: Wanted, file: Several) -> Generator[DecodedImage | BadPlace]:
        """The pages of a document by several workers, in order; an animation or film is read by one."""
        under_way: deque[_Part] = deque()
        ends: list[int | None] = [min(start + PART, file.pages) for start in range(0, file.pages, PART)]
        try:
            for end in ends or [None]:
                part = _Part(path, wanted, file, (end - 1) // PART * PART if end else 0, end)
                part.begin(self._working_pool())
                under_way.append(part)
                if len(under_way) > self._workers:
                    yield from self._of_part(under_way[0])
                    under_way.popleft()
            while under_way:
                yield from self._of_part(under_way[0])
                under_way.popleft()
        finally:
            for part in under_way:
                part.close()

    def _of_part(self, part: "_Part") -> Generator[DecodedImage | BadPlace]:
        last: str | None = None  # the place of the last result
        while True:
            for result in part.results(self._seconds):
                last = result.place
                yield result
            problem, (number, place) = part.problem(), part.spool.begun()
            part.close()
            if problem is None:
                return
            if problem.reason not in WORKER_REASONS or not place:  # a film cannot be continued
                if last is None and part.start == 0:
                    raise problem
                at = page_place(part.start + 1) if last is None else place_after(last)
                yield BadPlace(at, problem.reason, f"{problem} The pictures before are indexed.")
                return
            last = named_place(place.removeprefix(NO_PLACE))
            yield BadPlace(last, problem.reason, str(problem))
            part.start = number + 1
            part.begin(self._working_pool())

    def _working_pool(self) -> ProcessPool:
        """The pool, replaced if it has stopped. Raises Busy if it was closed."""
        pool = self._pool
        if not pool.active and not self._replace(pool):
            raise Busy("The pictures are being closed; try again in a moment.")
        return self._pool

    def read_picture(self, path: Path, name: str, place: str, pixels: int, reading: Reading) -> LoadedImage:
        """Decode one picture of a file, scaled down to at most `pixels` pixels. Raises UnreadableImage, Busy."""
        read: list[LoadedImage] = self._run(name, read_one, path, name, place, pixels, reading)
        return read.pop()

    def encode_picture(self, path: Path, name: str, place: str, reading: Reading) -> bytes:
        """One picture of a file as PNG, in full size. Raises UnreadableImage, Busy."""
        encoded: bytes = self._run(name, encode_one, path, name, place, reading)
        return encoded

    def list_contents(self, path: Path, name: str, reading: Reading) -> Contents:
        """What a file holds. Raises UnreadableImage, Busy."""
        contents: Contents = self._run(name, list_contents, path, name, reading)
        return contents

    def decode(
        self, data: bytes, name: str, pixels: int = LIMITS.pixels, *, reading: Reading = BY_DEFAULT, place: str = ""
    ) -> LoadedImage:
        """Decode a file's bytes in a worker; an image of more than `pixels` pixels is scaled down to that.

        `place` is that of one of several pictures; of a document or film, the first page or frame by default. Raises
        UnreadableImage, and Busy if the pool was closed meanwhile.
        """
        decoded: list[LoadedImage] = self._run(name, decode_bytes, data, name, pixels, reading, place)
        return decoded.pop()

    def read_text(self, file: IndexedFile, incomplete: bool = False) -> ReadText:
        """Read what is written in a picture; the text that a page of a PDF contains is taken as it is.

        Raises UnreadableImage.
        """
        read: ReadText = self._run(file.path.name, read_text, file, incomplete)
        return read

    def _run(self, name: str, work: Any, *args: object, seconds: float = 0.0) -> Any:
        """`seconds`: the limit of time, by default that of a picture."""
        pool = self._pool
        seconds = seconds or self._seconds
        try:
            return self._result(pool, name, seconds, work, *args)
        except RuntimeError:
            if self._closed:
                raise Busy("The pictures are being closed; try again in a moment.") from None
            if not self._replace(pool):
                raise
        return self._result(self._pool, name, seconds, work, *args)

    def _replace(self, pool: ProcessPool) -> bool:
        """Replace a pool that has stopped; False if it has not. An idle worker that is killed stops pebble's pool."""
        with self._lock:
            if self._closed or pool.active:
                return False
            if self._pool is pool:
                self._pool = self._start()
                _stop(pool)
        return True

    def _result(self, pool: ProcessPool, name: str, seconds: float, work: Any, *args: object) -> Any:
        future = pool.schedule(work, args=args, timeout=seconds)
        while not wait_for([future], LOST_SECONDS).done and pool.active:
            pass
        if not future.done():  # pebble forgets a task that comes while its pool stops
            raise BrokenProcessPool("The pool has stopped.")
        try:
            return future.result()
        except TooLong:
            raise UnreadableImage("decoder_hang", f"{shown(name)} takes too long to decode; save it again.") from None
        except ProcessExpired:
            raise UnreadableImage("decoder_crash", f"{shown(name)} crashes the decoder; save it again.") from None


class _Part:
    """Pictures of a file, from number `start` to before `end`, that a worker decodes; None means to the last one."""

    def __init__(self, path: Path, wanted: Wanted, file: Several, start: int, end: int | None) -> None:
        self._path, self._wanted, self._file = path, wanted, file
        self.start, self._end = start, end

    def begin(self, pool: ProcessPool) -> None:
        """Let a worker start, now or when one is free."""
        self.spool, self._pool = Spool(), pool
        arguments = self.spool.folder, self._path, self._wanted, self._file, self.start, self._end
        self._future = pool.schedule(stream_source, args=arguments)

    def results(self, seconds: float) -> Iterator[DecodedImage | BadPlace]:
        return self.spool.results(self._future, seconds + self._file.patience, lambda: bool(self._pool.active))

    def problem(self) -> UnreadableImage | None:
        return self.spool.problem(self._future, self._path.name)

    def close(self) -> None:
        """Stop the worker; nobody takes the rest."""
        self._future.cancel()  # type: ignore[no-untyped-call]
        self.spool.close()


def _stop(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()
