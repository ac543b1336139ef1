"""Decode untrusted images in worker processes, so that a crash or hang affects one image only."""

import contextlib
import ctypes
import hashlib
import os
import signal
import threading
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
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

from index.storage.keypoint_codec import pack_keypoints
from retrieval.descriptors.embedder import network_size
from retrieval.errors import Busy, UnreadableImage
from retrieval.images.decode import LoadedImage, decode_picture, read_file
from retrieval.images.limits import LIMITS
from retrieval.images.resize import crop_image, resize_image, shrink_image, thumbnail
from retrieval.memory_trim import trim_memory
from retrieval.printable_names import shown
from retrieval.ranking.keypoints import GALLERY_SIDE, Keypoints, find_keypoints, use_one_thread
from retrieval.regions.tiles import image_tiles
from retrieval.text.written_text import MAX_SIDE, TextReader
from retrieval.types import Image, WrittenLine

SECONDS = 20.0
"""Timeout per image."""
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
    taken: datetime | None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A file whose SHA-256 is already known."""

    bytes: int
    mtime: float
    sha256: str


@dataclass(frozen=True, slots=True)
class ReadText:
    """What is written in an image file, and the SHA-256 of the file that was read."""

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

    def decode(self, data: bytes, name: str, pixels: int = LIMITS.pixels, *, incomplete: bool = False) -> LoadedImage:
        """Decode a file's bytes in a worker; an image of more than `pixels` pixels is scaled down to that.

        With `incomplete`, a picture of which a part is missing is decoded too. Raises UnreadableImage, and Busy if the
        pool was closed meanwhile.
        """
        decoded: list[LoadedImage] = self._run(name, _decode_bytes, data, name, pixels, incomplete)
        return decoded.pop()

    def read_text(self, path: Path, incomplete: bool = False) -> ReadText:
        """Read what is written in an image file. Raises UnreadableImage."""
        read: ReadText = self._run(path.name, _read_text, path, incomplete)
        return read

    def _run(self, name: str, work: Any, *args: object) -> Any:
        pool = self._pool
        try:
            return self._result(pool, name, work, *args)
        except RuntimeError:
            if self._closed:
                raise Busy("The pictures are being closed; try again in a moment.") from None
            if not self._replace(pool):
                raise
        return self._result(self._pool, name, work, *args)

    def _replace(self, pool: ProcessPool) -> bool:
        """Replace a pool that has stopped; False if it has not. An idle worker that is killed stops pebble's pool."""
        with self._lock:
            if self._closed or pool.active:
                return False
            if self._pool is pool:
                self._pool = self._start()
                _stop(pool)
        return True

    def _result(self, pool: ProcessPool, name: str, work: Any, *args: object) -> Any:
        future = pool.schedule(work, args=args, timeout=self._seconds)
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


def _decode_bytes(data: bytes, name: str, pixels: int, incomplete: bool) -> "_SentOnce":
    decoded = decode_picture(data, name, incomplete=incomplete)
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
    image, size = decoded.image, (decoded.width, decoded.height)
    boxes = image_tiles(*size, tiled_from, tiles)
    return DecodedImage(
        resize_image(image, *network_size(*size, side)),
        tuple(resize_image(crop_image(image, box, size), *network_size(box.width, box.height, side)) for box in boxes),
        thumbnail(image),
        pack_keypoints(_keypoints(image, keypoints, tiles if boxes else 1), *image.shape[1::-1]) if keypoints else b"",
        decoded.width,
        decoded.height,
        *before,
        sha256,
        decoded.taken,
    )


def _read_text(path: Path, incomplete: bool) -> ReadText:
    data = read_file(path)
    decoded = decode_picture(data, path.name, MAX_SIDE, incomplete)
    reader = _text_reader()
    try:
        lines = reader.read(decoded.image)
    except Exception as error:
        raise UnreadableImage("text", f"The text of {shown(path.name)} cannot be read: {error}") from None
    scale = decoded.width / decoded.image.shape[1]
    lines = [replace(line, box=line.box.scaled(scale).clipped(*decoded.size)) for line in lines]
    return ReadText(hashlib.sha256(data).hexdigest(), lines)


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
