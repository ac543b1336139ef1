"""Pictures are untrusted: they are decoded in processes of their own; one that crashes or hangs costs only itself."""

import contextlib
import ctypes
import hashlib
import os
import threading
from concurrent.futures import TimeoutError as TooLong
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

from index.storage.keypoint_codec import pack_keypoints
from retrieval.descriptors.embedder import network_size
from retrieval.errors import UnreadableImage
from retrieval.images.decode import decode_image, decode_picture, read_file
from retrieval.images.resize import resize_image, thumbnail
from retrieval.printable_names import shown
from retrieval.ranking.keypoints import find_keypoints, use_one_thread
from retrieval.types import Image

SECONDS = 20.0
"""That one picture may take."""
MEMORY = 3 * 1024**3
"""Bytes that a worker may take on top of what it starts with."""
ENOUGH = 3
"""A JPEG may be decoded at a half, a quarter or an eighth, down to so many times the side that the network takes."""
PIPE = 256 * 1024
"""Bytes on their way between two processes, a third of a picture; of all its pipes Linux gives a user 64 MB."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as malloc.h has them
PICTURES_PER_WORKER = 2000
"""After so many a worker is replaced, in case a decoder leaks."""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """Everything a build needs of a picture file; size, time and hash are of the bytes it was made from."""

    pixels: Image
    """The picture at the size the network takes."""
    thumbnail: bytes
    keypoints: bytes
    width: int
    height: int
    bytes: int
    mtime: float
    sha256: str


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A file whose bytes were known."""

    bytes: int
    mtime: float
    sha256: str


class _WidePipes(SpawnContext):
    """Processes from which a picture comes through a pipe in few pieces, which saves a quarter of its time."""

    def Pipe(self, duplex: bool = True) -> tuple[Connection, Connection]:  # noqa: N802
        ends = super().Pipe(duplex)
        with contextlib.suppress(ImportError, AttributeError, OSError):  # only Linux has them
            import fcntl

            fcntl.fcntl(ends[1].fileno(), fcntl.F_SETPIPE_SZ, PIPE)
        return ends


class DecoderPool:
    """Worker processes that read and decode; use it in a `with` block or close it. Many threads may ask it at once."""

    def __init__(self, workers: int = 1, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self._seconds = seconds
        self._pool = ProcessPool(
            max_workers=workers,
            max_tasks=PICTURES_PER_WORKER,
            initializer=_prepare,
            initargs=(memory,),
            context=_WidePipes(),  # no lock and no thread of this process is copied into what is spawned
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the workers, whatever they are at."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def look(
        self, path: Path, side: int, keypoints: int = 0, known: frozenset[str] = frozenset()
    ) -> DecodedImage | Unchanged:
        """What a build needs of a picture file; Unchanged when its SHA-256 is among the known.

        `side` and `keypoints` are those of a recipe; finding keypoints is the longer part of the work. Raises
        UnreadableImage.
        """
        found: DecodedImage | Unchanged = self._run(path.name, _look, path, side, keypoints, known)
        return found

    def decode(self, data: bytes, name: str) -> Image:
        """`decode_image` in a worker. Raises UnreadableImage."""
        image: Image = self._run(name, decode_image, data, name)
        return image

    def _run(self, name: str, work: Any, *args: object) -> Any:
        try:
            return self._pool.schedule(work, args=args, timeout=self._seconds).result()
        except TooLong:
            raise UnreadableImage("decoder_hang", f"{shown(name)} takes too long to decode; save it anew.") from None
        except ProcessExpired:
            raise UnreadableImage("decoder_crash", f"{shown(name)} crashes the decoder; save it anew.") from None


def _look(path: Path, side: int, keypoints: int, known: frozenset[str]) -> DecodedImage | Unchanged:
    before = _facts(path)
    data = read_file(path)
    if before != _facts(path) or before[0] != len(data):
        raise UnreadableImage("changed", f"{shown(path.name)} is being written to; the next build takes it.")
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 in known:
        return Unchanged(*before, sha256)
    decoded = decode_picture(data, path.name, ENOUGH * side)
    image = decoded.image
    return DecodedImage(
        resize_image(image, *network_size(decoded.width, decoded.height, side)),
        thumbnail(image),
        pack_keypoints(find_keypoints(image, limit=keypoints), image.shape[1], image.shape[0]) if keypoints else b"",
        decoded.width,
        decoded.height,
        *before,
        sha256,
    )


def _facts(path: Path) -> tuple[int, float]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0.0  # reading it says what is wrong
    return found.st_size, found.st_mtime


def _prepare(memory: int) -> None:
    use_one_thread()
    _keep_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(ImportError, OSError, ValueError):  # systems that cannot limit memory
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _keep_memory() -> None:
    """What one picture needed the next one gets, and not fresh pages of the system: a third of the time otherwise."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # only the GNU C library can be told
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 64 * 1024**2)
        mallopt(M_TRIM_THRESHOLD, 256 * 1024**2)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
