"""Decode the pictures that visitors send, in separate processes and in turns."""

import threading
from collections.abc import Callable
from dataclasses import replace

from boxfind.fair_turns import FairTurns
from boxfind.uploads import Upload
from index.building.decoder_pool import DecoderPool
from index.storage.sources import BY_DEFAULT, Reading
from retrieval.cpus import cpu_count
from retrieval.images.decode import LoadedImage

DECODERS = min(max(cpu_count(), 2), 4)
"""Workers that decode visitors' pictures; one client uses all but one."""
DECODE_SECONDS = 10.0
"""Timeout of a visitor's picture. The slowest legal ones, WebP of 100 million pixels, take 6 s on an AMD EPYC core."""
DECODE_WAIT = 15.0
"""Seconds that a picture waits for a worker."""
QUERY_PIXELS = 16_000_000
"""Pixels kept of a query picture. Photographs of 12 megapixels are smaller, so that small objects keep every pixel."""


class VisitorPictures:
    """Thread-safe. The decoder processes start with the first picture."""

    def __init__(self, reading: Reading = BY_DEFAULT) -> None:
        self._reading = reading
        self._lock = threading.Lock()
        self._pool: DecoderPool | None = None
        self._turns = FairTurns(DECODERS, seconds=DECODE_WAIT, spare=1)

    def read(
        self,
        data: bytes | Callable[[], bytes],
        name: str,
        client: str = "",
        *,
        pixels: int = QUERY_PIXELS,
        place: str = "",
    ) -> LoadedImage:
        """Decode a picture, scaled down to at most `pixels` pixels.

        `place` is that of one of several pictures of a file, the first one by default. A function that reads the data
        is called when its turn has come. `client` (`client_of`) is who sent it; clients take turns. Raises
        UnreadableImage, Busy, and the errors of the function.
        """
        with self._turns.hold(client):
            pool = self._decoders()
            picture = data if isinstance(data, bytes) else data()
            return pool.decode(picture, name, pixels, reading=self._reading, place=place)

    def open_upload(self, data: bytes, name: str, client: str = "") -> Upload:
        """Look what a file holds: one picture, or several to choose from, such as the pages of a document.

        Raises UnreadableImage and Busy.
        """
        upload = Upload.of(data, name)
        with self._turns.hold(client):
            contents = self._decoders().list_contents(upload.path, name, self._reading)
        return replace(upload, contents=contents)

    def read_upload(self, upload: Upload, place: str, client: str = "") -> bytes:
        """Return the bytes of a picture file: the upload itself if it is one, or a PNG of one of its pictures.

        `place` is one of its `places`, or for a film the result of `time_place`. Raises UnreadableImage and Busy.
        """
        if not place and upload.is_picture:
            return upload.path.read_bytes()
        with self._turns.hold(client):
            return self._decoders().encode_picture(upload.path, upload.name, place, self._reading)

    def close(self) -> None:
        """Stop the decoder processes; the next picture starts new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _decoders(self) -> DecoderPool:
        """The workers that decode."""
        with self._lock:
            if self._pool is None:
                self._pool = DecoderPool(DECODERS, DECODE_SECONDS, keep_memory=False)
            return self._pool
