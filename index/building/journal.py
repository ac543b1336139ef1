"""Journal of a build in SQLite: described images are stored as they come, so an interrupted build can resume.

Changes are committed at most SAVE_EVERY seconds apart, when the whitening is learned, when all images are described,
and when the journal is closed, also after an error.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from index.storage.folder_scan import Skipped
from index.storage.keypoint_codec import unpack_keypoints
from index.storage.tables import ImageEntry
from retrieval.descriptors.whitening import Whitening
from retrieval.ranking.keypoints import Keypoints
from retrieval.regions.find_regions import drop_duplicate_regions
from retrieval.regions.tiles import TILE
from retrieval.types import Box, ClassScores, Region, Vectors

FILE = "journal.sqlite"
SAVE_EVERY = 1.0
"""Seconds between commits: the most work that a killed process loses."""
TABLES = """
CREATE TABLE IF NOT EXISTS build_key (build_key TEXT, gallery TEXT);
CREATE TABLE IF NOT EXISTS whitening (kind TEXT, learned INTEGER, mean BLOB, projection BLOB);
CREATE TABLE IF NOT EXISTS skipped (
    file TEXT PRIMARY KEY, reason TEXT, sentence TEXT, bytes INTEGER, mtime REAL, place TEXT, source TEXT
);
CREATE TABLE IF NOT EXISTS pictures (
    image TEXT PRIMARY KEY, path BLOB, width INTEGER, height INTEGER, bytes INTEGER, mtime REAL, sha256 TEXT,
    place TEXT, file_sha256 TEXT, source TEXT, complete INTEGER, has_keypoints INTEGER,
    taken TEXT, thumbnail BLOB, keypoints BLOB, regions TEXT, vectors BLOB, classes BLOB, shares BLOB
);
CREATE INDEX IF NOT EXISTS pictures_source ON pictures (source);
CREATE INDEX IF NOT EXISTS skipped_source ON skipped (source);
"""
MOST_THERE = 0.6
"""The gallery has moved if at least this share of the files of a journal is in its new folder, unchanged."""


@dataclass(frozen=True, slots=True)
class JournalKey:
    """What a build must have in common with an interrupted one to go on with its journal."""

    settings: str
    """Everything besides the pictures that decides what is stored."""
    gallery: str
    files: Mapping[str, tuple[int, float]]
    """The id of each file that is in the gallery now -> size and mtime."""


@dataclass(frozen=True, slots=True)
class DescribedImage:
    """Everything the index stores about one image. The entry does not locate the blobs yet."""

    entry: ImageEntry
    thumbnail: bytes
    keypoints: bytes
    regions: list[Region]
    vectors: Vectors
    """(R, C) before whitening, (R, D) after it."""
    class_scores: ClassScores
    has_keypoints: bool = True
    """False if they are still to be found."""

    def with_regions(self, kept: list[int], vectors: Vectors) -> "DescribedImage":
        """The image with some of its regions only, and their vectors (K, D)."""
        regions, class_scores = [self.regions[region] for region in kept], self.class_scores[kept]
        return replace(self, regions=regions, vectors=vectors, class_scores=class_scores)


def whitened(vectors: Vectors, whitening: Whitening, dedup_similarity: float) -> tuple[list[int], Vectors]:
    """Which regions of an image are kept, and their vectors (K, D), from vectors (R, C) before whitening."""
    whole = whitening.apply(vectors)
    kept = drop_duplicate_regions(whole, dedup_similarity)
    return kept, whole[kept]


@dataclass(frozen=True, slots=True)
class DescribedFile:
    """A file all of whose images are in the journal."""

    facts: tuple[int, float]
    """Size in bytes and mtime."""
    images: set[str]


class Journal:
    """Stores described images: unwhitened until the whitening is known, then whitened, without duplicate regions."""

    def __init__(self, connection: sqlite3.Connection, dedup_similarity: float) -> None:
        self._connection = connection
        self.dedup_similarity = dedup_similarity
        self._saved = time.monotonic()
        self.whitening: Whitening | None = None
        self.learned = 0
        """Number of images the whitening was learned from."""
        for kind, learned, mean, projection in connection.execute("SELECT * FROM whitening"):
            mean = np.frombuffer(mean, np.float32)
            self.whitening = Whitening(kind, mean, np.frombuffer(projection, np.float32).reshape(len(mean), -1))
            self.learned = learned

    def files(self) -> dict[str, DescribedFile]:
        """The id of each file -> its size, mtime and images; without files of which images are missing."""
        files: dict[str, DescribedFile] = {}
        rows = self._connection.execute("SELECT source, image, bytes, mtime FROM pictures WHERE complete")
        for file, image, size, mtime in rows:
            files.setdefault(file, DescribedFile((size, mtime), set())).images.add(image)
        return files

    def forget(self, file: str) -> None:
        """Remove the images of a file, and the record of why it or its pages were skipped."""
        self._connection.execute("DELETE FROM pictures WHERE source = ?", (file,))
        self._connection.execute("DELETE FROM skipped WHERE source = ?", (file,))

    def finish(self, file: str) -> set[str]:
        """All images of a file that holds several are stored; returns their ids."""
        self._connection.execute("UPDATE pictures SET complete = 1 WHERE source = ?", (file,))
        return {row[0] for row in self._connection.execute("SELECT image FROM pictures WHERE source = ?", (file,))}

    def counts(self) -> dict[str, int]:
        """Image id -> number of regions."""
        return dict(self._connection.execute("SELECT image, json_array_length(regions) FROM pictures").fetchall())

    def skipped(self) -> dict[str, Skipped]:
        rows = self._connection.execute("SELECT file, reason, sentence, bytes, mtime, place FROM skipped")
        return {row[0]: Skipped(*row) for row in rows}

    def add(self, picture: DescribedImage) -> None:
        """Store an image, replacing an earlier version. One of several of its file counts after `finish`."""
        self._insert(picture)
        self._save_sometimes()

    def add_skipped(self, file: Skipped) -> None:
        self._connection.execute("DELETE FROM pictures WHERE image = ?", (file.file,))
        row = (*astuple(file), file.source)
        self._connection.execute("INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self._save_sometimes()

    def regions(self) -> Iterator[tuple[str, Vectors, list[Box]]]:
        """Each image's id, and the vectors and boxes of its regions outside tiles, in insertion order."""
        rows = self._connection.execute("SELECT image, vectors, regions FROM pictures ORDER BY rowid")
        for image, data, regions in rows:
            described = json.loads(regions)
            untiled = [row for row, region in enumerate(described) if region[4] != TILE]
            vectors = np.frombuffer(data, np.float32).reshape(len(described), -1)[untiled]
            yield image, vectors, [Box(*described[row][:4]) for row in untiled]

    def without_keypoints(self) -> dict[str, str]:
        """The images whose keypoints are still to be found -> the SHA-256 of their files, in insertion order."""
        query = "SELECT image, sha256 FROM pictures WHERE NOT has_keypoints ORDER BY rowid"
        return dict(self._connection.execute(query).fetchall())

    def add_keypoints(self, image: str, keypoints: bytes) -> None:
        """Store the keypoints of a described image."""
        change = "UPDATE pictures SET keypoints = ?, has_keypoints = 1 WHERE image = ?"
        self._connection.execute(change, (keypoints, image))
        self._save_sometimes()

    def keypoints(self, image: str) -> tuple[Keypoints, tuple[int, int]]:
        """An image's keypoints in original pixels, and its (width, height)."""
        query = "SELECT keypoints, width, height FROM pictures WHERE image = ?"
        data, width, height = self._connection.execute(query, (image,)).fetchone()
        return unpack_keypoints(data, width, height), (width, height)

    def vectors(self, image: str) -> Vectors:
        """The vectors of an image's regions."""
        query = "SELECT vectors, json_array_length(regions) FROM pictures WHERE image = ?"
        data, regions = self._connection.execute(query, (image,)).fetchone()
        return np.frombuffer(data, np.float32).reshape(regions, -1)

    def learn(self, whitening: Whitening, learned: int) -> None:
        """Set the whitening and apply it to all stored images, in one transaction."""
        self.save()
        matrices = whitening.mean.tobytes(), np.ascontiguousarray(whitening.projection).tobytes()
        self.whitening, self.learned = whitening, learned
        with self._connection:  # rolls back if it is interrupted
            self._connection.execute("INSERT INTO whitening VALUES (?, ?, ?, ?)", (whitening.kind, learned, *matrices))
            ended = self.files()
            for image in [row[0] for row in self._connection.execute("SELECT image FROM pictures")]:
                self._insert(self.picture(image))
            for file in ended:
                self.finish(file)

    def picture(self, image: str) -> DescribedImage:
        row = self._connection.execute("SELECT * FROM pictures WHERE image = ?", (image,)).fetchone()
        (
            *facts,
            place,
            file_sha256,
            _,
            _,
            has_keypoints,
            taken,
            thumbnail,
            keypoints,
            regions,
            vectors,
            classes,
            shares,
        ) = row
        regions = [Region(Box(*edges), kind, score, label) for *edges, kind, score, label in json.loads(regions)]
        return DescribedImage(
            replace(
                ImageEntry(*facts),
                taken=datetime.fromisoformat(taken) if taken else None,
                place=place,
                file_sha256=file_sha256,
            ),
            thumbnail,
            keypoints,
            regions,
            np.frombuffer(vectors, np.float32).reshape(len(regions), -1),
            ClassScores(
                np.frombuffer(classes, np.int16).reshape(len(regions), -1),
                np.frombuffer(shares, np.float16).reshape(len(regions), -1),
            ),
            bool(has_keypoints),
        )

    def save(self) -> None:
        self._connection.commit()
        self._saved = time.monotonic()

    def _save_sometimes(self) -> None:
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def _insert(self, picture: DescribedImage) -> None:
        """Insert or replace an unwhitened image, whitened if the whitening is known."""
        if self.whitening is not None:
            kept, vectors = whitened(picture.vectors, self.whitening, self.dedup_similarity)
            picture = picture.with_regions(kept, vectors)
        entry, class_scores = picture.entry, picture.class_scores
        row = (
            *(entry.image, entry.path, entry.width, entry.height, entry.bytes, entry.mtime, entry.sha256),
            *(entry.place, entry.file_sha256, entry.source, not entry.file_sha256),
            picture.has_keypoints,
            *(entry.taken.isoformat() if entry.taken else "", picture.thumbnail, picture.keypoints),
            json.dumps([(r.box.x0, r.box.y0, r.box.x1, r.box.y1, r.kind, r.score, r.label) for r in picture.regions]),
            np.ascontiguousarray(picture.vectors, np.float32).tobytes(),
            *(class_scores.classes.tobytes(), class_scores.shares.tobytes()),
        )
        self._connection.execute(f"INSERT OR REPLACE INTO pictures VALUES ({', '.join('?' * len(row))})", row)


@contextmanager
def open_journal(index_dir: Path, key: JournalKey, dedup_similarity: float) -> Iterator[Journal]:
    """Open the journal of an interrupted build, or an empty one if that build had another `key`.

    A gallery whose folder has moved is the same: most files of the journal are in the new folder, unchanged.
    """
    with closing(_connect(index_dir, key)) as connection:
        try:
            yield Journal(connection, dedup_similarity)
        finally:
            connection.commit()


def remove_journal(index_dir: Path) -> None:
    for name in (FILE, f"{FILE}-journal"):
        (index_dir / name).unlink(missing_ok=True)


def _connect(index_dir: Path, key: JournalKey) -> sqlite3.Connection:
    settings = f"{key.settings} {TABLES}"  # an earlier version had other columns
    try:
        connection = _open_database(index_dir)
        if _is_of(connection, settings, key):
            connection.execute("UPDATE build_key SET gallery = ?", (key.gallery,))
            connection.commit()
            return connection
        connection.close()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
    remove_journal(index_dir)  # another key, or damaged; losing it costs only time
    connection = _open_database(index_dir)
    connection.execute("INSERT INTO build_key VALUES (?, ?)", (settings, key.gallery))
    connection.commit()
    return connection


def _is_of(connection: sqlite3.Connection, settings: str, key: JournalKey) -> bool:
    """Whether a journal is of a build with these settings, and of the same gallery, which may have moved."""
    stored = connection.execute("SELECT * FROM build_key").fetchall()
    if stored == [(settings, key.gallery)]:
        return True
    if [row[0] for row in stored] != [settings]:
        return False
    files = {row[0]: row[1:] for row in connection.execute("SELECT source, bytes, mtime FROM pictures")}
    there: int = sum(key.files.get(file) == facts for file, facts in files.items())
    return there >= max(MOST_THERE * len(files), 1)


def _open_database(index_dir: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(index_dir / FILE, timeout=1)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(TABLES)
    return connection
