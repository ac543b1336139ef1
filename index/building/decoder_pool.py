"""Decode untrusted images in worker processes, so that a crash or hang affects one image only."""

import contextlib
import ctypes
import hashlib
import os
import signal
import threading
from collections.abc import Generator
from concurrent.futures import TimeoutError as TooLong
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

from index.building.spool import Spool, SpoolWriter
from index.storage.keypoint_codec import pack_keypoints
from index.storage.sources import (
    ALWAYS_SEVERAL,
    BY_DEFAULT,
    NO_PLACE,
    Contents,
    Reading,
    check_source,
    embedded_text,
    film_seconds,
    holds_several,
    list_contents,
    pictures,
    read_picture,
    source_format,
)
from retrieval.descriptors.embedder import network_size
from retrieval.errors import Busy, UnreadableImage
from retrieval.images.decode import LoadedImage, decode_picture, read_file
from retrieval.images.file_kinds import RAW, START, VIDEO, picture_format
from retrieval.images.limits import LIMITS, MEGABYTE, SourceLimits
from retrieval.images.places import named_place, picture_sha256, place_after
from retrieval.images.resize import crop_image, lossless_png, resize_image, shrink_image, thumbnail
from retrieval.memory_trim import trim_memory
from retrieval.networks.weights import file_sha256
from retrieval.printable_names import shown
from retrieval.ranking.keypoints import GALLERY_SIDE, Keypoints, find_keypoints, use_one_thread
from retrieval.regions.tiles import image_tiles
from retrieval.text.written_text import MAX_SIDE, TextReader
from retrieval.types import Image, WrittenLine

SECONDS = 20.0
"""Timeout per image."""
HASHED_BYTES = 20_000_000
"""Bytes of a document or film that are hashed in a second, at least, also from a slow disk."""
ANY_SIZE = SourceLimits(picture_mb=500, document_mb=1_000_000, pages=1_000_000)
"""Limits for files that a build has accepted."""
TIMES_REAL_TIME, MOST_PATIENCE = 5, 1800.0
"""How much faster than it is shown a film is read, at least, and the most seconds without a new picture: a film may
show the same for hours."""
MOST_RESTARTS = 20
"""How often a document is continued behind a page that crashes the worker or takes too long."""
WORKER_REASONS = ("decoder_hang", "decoder_crash")
MEMORY = 3 * 1024**3
"""Bytes that a worker may allocate beyond its memory at start."""
ENOUGH = 3
"""A JPEG may be decoded at reduced scale (1/2, 1/4, 1/8), down to this multiple of the network's input side."""
PIPE = 256 * 1024
"""Pipe buffer in bytes, about a third of an image. Linux limits all pipes of a user to 64 MB."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # constants of malloc.h
LOST_SECONDS = 1.0
"""How often a waiting task looks whether its pool still works."""
PICTURES_PER_WORKER = 2000
"""For workers that decode, in case a decoder leaks memory."""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """Everything a build needs from an image file. `bytes`, `mtime` and `sha256` describe the decoded file."""

    pixels: Image
    """The image at the network's input size."""
    tiles: tuple[Image, ...]
    """Its `image_tiles` at that size."""
    thumbnail: bytes
    keypoints: bytes
    width: int
    height: int
    bytes: int
    mtime: float
    sha256: str
    """What the picture is known by, see picture_sha256."""
    taken: datetime | None
    place: str = ""
    file_sha256: str = ""
    """That of its file if it holds several pictures."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A file whose SHA-256 is already known."""

    bytes: int
    mtime: float
    sha256: str


@dataclass(frozen=True, slots=True)
class Several:
    """A file that holds several pictures."""

    bytes: int
    mtime: float
    sha256: str
    patience: float = 0.0
    """Seconds that the search for its next picture may take, in addition to those of a picture."""


@dataclass(frozen=True, slots=True)
class BadPlace:
    """A picture of a file that cannot be read, and why."""

    place: str
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a build needs of each picture: fields of the recipe, and limits."""

    side: int
    keypoints: int = 0
    tiled_from: int = 0
    tiles: int = 1
    reading: Reading = BY_DEFAULT


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """The file of a picture as it was indexed."""

    path: Path
    place: str = ""
    bytes: int = 0
    mtime: float = 0.0
    file_sha256: str = ""
    """That of the file if it holds several pictures."""


@dataclass(frozen=True, slots=True)
class ReadText:
    """What is written in a picture, and the SHA-256 that it is known by."""

    sha256: str
    lines: list[WrittenLine]


class _WidePipes(SpawnContext):
    """Spawn context with larger pipe buffers, which makes the transfer of an image a quarter faster."""

    def Pipe(self, duplex: bool = True) -> tuple[Connection, Connection]:  # noqa: N802
        ends = super().Pipe(duplex)
        with contextlib.suppress(ImportError, AttributeError, OSError):  # Linux only
            import fcntl

            fcntl.fcntl(ends[1].fileno(), fcntl.F_SETPIPE_SZ, PIPE)
        return ends


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
        self._seconds = seconds
        self._start = partial(
            ProcessPool,
            max_workers=workers,
            max_tasks=pictures,
            initializer=prepare_worker,
            initargs=(memory, keep_memory),
            context=_WidePipes(),  # spawn, not fork: locks of other threads are not copied
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

    def drain(self) -> None:
        """Accept no new tasks, finish those that are running, and stop the workers."""
        with self._lock:
            self._closed = True
        self._pool.close()  # type: ignore[no-untyped-call]
        self._pool.join()

    def decode_file(
        self,
        path: Path,
        side: int,
        keypoints: int = 0,
        known: frozenset[str] = frozenset(),
        incomplete: bool = False,
        tiled_from: int = 0,
        tiles: int = 1,
    ) -> DecodedImage | Unchanged:
        """Read and decode an image file; Unchanged if its SHA-256 is in `known`. Raises UnreadableImage.

        `side`, `keypoints`, `tiled_from` and `tiles` are fields of the recipe. Keypoint detection takes most of the
        time. With `incomplete`, a picture of which a part is missing is decoded too.
        """
        wanted = side, keypoints, known, incomplete, tiled_from, tiles
        decoded: DecodedImage | Unchanged = self._run(path.name, _decode_file, path, *wanted)
        return decoded

    def decode_source(
        self, path: Path, wanted: Wanted, known: frozenset[str] = frozenset()
    ) -> Generator[DecodedImage | Unchanged | Several | BadPlace]:
        """Read and decode the pictures of a file, one after the other. Raises UnreadableImage.

        A file with one picture gives a DecodedImage; if its SHA-256 is in `known`, any file gives Unchanged. A file
        that holds several gives Several, then a DecodedImage or BadPlace for each. The limit of time is for each
        picture; one that crashes the worker, or takes too long, does not hide the others of its document.
        """
        size = _size_and_mtime(path)[0]
        first = self._run(path.name, _probe_source, path, wanted, known, seconds=self._seconds + size / HASHED_BYTES)
        yield first
        if isinstance(first, Several):
            yield from self._stream(path, wanted, first)

    def _stream(self, path: Path, wanted: Wanted, file: Several) -> Generator[DecodedImage | BadPlace]:
        start = 0
        last: str | None = None  # the place of the last result
        for _ in range(1 + MOST_RESTARTS):
            with Spool() as spool:
                pool = self._working_pool()
                future = pool.schedule(_stream_source, args=(spool.folder, path, wanted, file, start))
                try:
                    for result in spool.results(future, self._seconds + file.patience, lambda: pool.active):  # noqa: B023
                        last = result.place
                        yield result
                    problem, (number, place) = spool.problem(future, path.name), spool.begun()
                finally:
                    future.cancel()  # type: ignore[no-untyped-call]  # nobody takes the rest
            if problem is None:
                return
            if problem.reason not in WORKER_REASONS or not place:  # a film cannot be continued
                if last is None:
                    raise problem
                yield BadPlace(place_after(last), problem.reason, f"{problem} The pictures before are indexed.")
                return
            last = named_place(place.removeprefix(NO_PLACE))
            yield BadPlace(last, problem.reason, str(problem))
            start = number + 1
        sentence = f"{shown(path.name)} has too many pages that cannot be decoded; the others are left out."
        yield BadPlace(place_after(last or ""), "too_complex", sentence)

    def _working_pool(self) -> ProcessPool:
        """The pool, replaced if it has stopped. Raises Busy if it was closed."""
        pool = self._pool
        if not pool.active and not self._replace(pool):
            raise Busy("The pictures are being closed; try again in a moment.")
        return self._pool

    def read_picture(self, path: Path, name: str, place: str, pixels: int, reading: Reading) -> LoadedImage:
        """Decode one picture of a file, scaled down to at most `pixels` pixels. Raises UnreadableImage, Busy."""
        read: list[LoadedImage] = self._run(name, _read_picture, path, name, place, pixels, reading)
        return read.pop()

    def encode_picture(self, path: Path, name: str, place: str, reading: Reading) -> bytes:
        """One picture of a file as PNG, in full size. Raises UnreadableImage, Busy."""
        encoded: bytes = self._run(name, _encode_picture, path, name, place, reading)
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
        decoded: list[LoadedImage] = self._run(name, _decode_bytes, data, name, pixels, reading, place)
        return decoded.pop()

    def read_text(self, file: "IndexedFile", incomplete: bool = False) -> ReadText:
        """Read what is written in a picture; the text that a page of a PDF contains is taken as it is.

        Raises UnreadableImage.
        """
        read: ReadText = self._run(file.path.name, _read_text, file, incomplete)
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


def _stop(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _decode_bytes(data: bytes, name: str, pixels: int, reading: Reading, place: str) -> "_SentOnce":
    if place or picture_format(name, data[:START]) in ALWAYS_SEVERAL:
        with TemporaryDirectory(prefix="boxfind-") as folder:
            file = Path(folder, "upload")
            file.write_bytes(data)
            decoded = read_picture(file, name, place, reading)
    else:
        decoded = decode_picture(data, name, incomplete=reading.incomplete, most=reading.limits.picture_mb * MEGABYTE)
    decoded = replace(decoded, image=shrink_image(decoded.image, pixels))
    trim_memory()  # queries come one at a time
    return _SentOnce(decoded)


class _SentOnce:
    """A result that is dropped once sent. It is received in a list, to be taken out of it.

    pebble keeps the last result until the next one, in the worker as well as in the program.
    """

    def __init__(self, result: LoadedImage) -> None:
        self._results = [result]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, ([self._results.pop()],)


def _decode_file(
    path: Path,
    side: int,
    keypoints: int,
    known: frozenset[str],
    incomplete: bool = False,
    tiled_from: int = 0,
    tiles: int = 1,
) -> DecodedImage | Unchanged:
    before = _size_and_mtime(path)
    data = read_file(path)
    if before != _size_and_mtime(path) or before[0] != len(data):
        raise UnreadableImage("changed", f"{shown(path.name)} is still being written; the next build indexes it.")
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 in known:
        return Unchanged(*before, sha256)
    decoded = decode_picture(data, path.name, ENOUGH * side, incomplete)
    return _prepared(decoded, Wanted(side, keypoints, tiled_from, tiles), Several(*before, sha256))


def _probe_source(path: Path, wanted: Wanted, known: frozenset[str]) -> DecodedImage | Unchanged | Several:
    """The only picture of a file, or the SHA-256 of a file that holds several."""
    reading, before = wanted.reading, _size_and_mtime(path)
    kind, limits = source_format(path), reading.limits
    data = b""
    if kind in ALWAYS_SEVERAL:
        check_source(path, path.name, kind, limits)
        sha256, size = file_sha256(path), before[0]
    else:
        most = LIMITS.raw_bytes if kind == RAW else limits.picture_mb * MEGABYTE
        data = read_file(path, most)
        sha256, size = hashlib.sha256(data).hexdigest(), len(data)
    if before != _size_and_mtime(path) or before[0] != size:
        raise UnreadableImage("changed", f"{shown(path.name)} is still being written; the next build indexes it.")
    if sha256 in known:
        return Unchanged(*before, sha256)
    patience = min(film_seconds(path) / TIMES_REAL_TIME, MOST_PATIENCE) if kind == VIDEO else 0.0
    file = Several(*before, sha256, patience)
    if kind in ALWAYS_SEVERAL or holds_several(data, path.name, limits):
        return file
    decoded = decode_picture(data, path.name, ENOUGH * wanted.side, reading.incomplete, most=most)
    return _prepared(decoded, wanted, file)


def _stream_source(folder: Path, path: Path, wanted: Wanted, file: Several, start: int) -> None:
    """Put a DecodedImage or BadPlace into the spool `folder` for each picture of a file from number `start` on."""
    spool = SpoolWriter(folder)
    for place, picture in pictures(path, wanted.reading, ENOUGH * wanted.side, start, spool.begin):
        if isinstance(picture, UnreadableImage):
            spool.put(BadPlace(place, picture.reason, str(picture)))
        else:
            spool.put(_prepared(picture, wanted, file, place, several=True))
    if _size_and_mtime(path) != (file.bytes, file.mtime):
        raise UnreadableImage("changed", f"{shown(path.name)} is still being written; the next build indexes it.")


def _prepared(
    decoded: LoadedImage, wanted: Wanted, file: Several, place: str = "", several: bool = False
) -> DecodedImage:
    """What a build needs of a decoded picture."""
    image, size, side = decoded.image, decoded.size, wanted.side
    boxes = image_tiles(*size, wanted.tiled_from, wanted.tiles)
    limit, scale = wanted.keypoints, wanted.tiles if boxes else 1
    return DecodedImage(
        resize_image(image, *network_size(*size, side)),
        tuple(resize_image(crop_image(image, box, size), *network_size(box.width, box.height, side)) for box in boxes),
        thumbnail(image),
        pack_keypoints(_keypoints(image, limit, scale), *image.shape[1::-1]) if limit else b"",
        decoded.width,
        decoded.height,
        file.bytes,
        file.mtime,
        picture_sha256(file.sha256, place),
        decoded.taken,
        place,
        file.sha256 if several else "",
    )


def _read_picture(path: Path, name: str, place: str, pixels: int, reading: Reading) -> "_SentOnce":
    decoded = read_picture(path, name, place, reading)
    decoded = replace(decoded, image=shrink_image(decoded.image, pixels))
    trim_memory()  # queries come one at a time
    return _SentOnce(decoded)


def _encode_picture(path: Path, name: str, place: str, reading: Reading) -> bytes:
    return lossless_png(read_picture(path, name, place, reading).image)


def _read_text(file: IndexedFile, incomplete: bool) -> ReadText:
    path, reading = file.path, Reading(ANY_SIZE, incomplete)
    if file.place:
        same = _size_and_mtime(path) == (file.bytes, file.mtime)
        sha256 = picture_sha256(file.file_sha256 if same else file_sha256(path), file.place)
        lines = embedded_text(path, path.name, file.place, reading)
        if lines:
            return ReadText(sha256, lines)
        decoded = read_picture(path, path.name, file.place, reading, MAX_SIDE)
    else:
        data = read_file(path, max(LIMITS.raw_bytes, file.bytes))
        sha256 = hashlib.sha256(data).hexdigest()
        decoded = decode_picture(data, path.name, MAX_SIDE, incomplete, most=len(data))
    reader = _text_reader()
    try:
        lines = reader.read(decoded.image)
    except Exception as error:
        raise UnreadableImage("text", f"The text of {shown(path.name)} cannot be read: {error}") from None
    scale = decoded.width / decoded.image.shape[1]
    lines = [replace(line, box=line.box.scaled(scale).clipped(*decoded.size)) for line in lines]
    return ReadText(sha256, lines)


@cache
def _text_reader() -> TextReader:
    """The reader of this worker."""
    return TextReader()


def _keypoints(image: Image, limit: int, scale: int) -> Keypoints:
    """The keypoints of an image with `scale` tiles across: so many times as many, at so many times the side."""
    return find_keypoints(image, scale * GALLERY_SIDE, scale * limit)


def _size_and_mtime(path: Path) -> tuple[int, float]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0.0  # read_file reports the error
    return status.st_size, status.st_mtime


def prepare_worker(memory: int, keep_memory: bool = True) -> None:
    """Run at the start of a worker: limit its threads and memory, and end it with its parent process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # end at once: pebble's handler waits for the decoder and disturbs it
    use_one_thread()
    if keep_memory:
        _keep_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(ImportError, OSError, ValueError):  # the system cannot limit memory
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _keep_memory() -> None:
    """Keep freed memory for the next image: fresh pages from the system would cost a third of the time."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # glibc only
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 64 * 1024**2)
        mallopt(M_TRIM_THRESHOLD, 256 * 1024**2)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
