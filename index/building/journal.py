"""Journal of a build in SQLite: described images are saved as they come, so an interrupted build can resume."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.storage.folder_scan import Skipped
from retrieval.descriptors.whitening import Whitening
from retrieval.regions.find_regions import drop_duplicate_regions
from retrieval.types import Box, ClassScores, Region, Vectors

FILE = "journal.sqlite"
SAVE_EVERY = 1.0
"""Seconds between commits: the most work an interruption can lose."""
TABLES = """
CREATE TABLE IF NOT EXISTS terms (terms TEXT);
CREATE TABLE IF NOT EXISTS whitening (kind TEXT, learned INTEGER, mean BLOB, projection BLOB);
CREATE TABLE IF NOT EXISTS skipped (file TEXT PRIMARY KEY, reason TEXT, sentence TEXT, bytes INTEGER, mtime REAL);
CREATE TABLE IF NOT EXISTS raw (image TEXT PRIMARY KEY, vectors BLOB);
CREATE TABLE IF NOT EXISTS pictures (
    image TEXT PRIMARY KEY, path BLOB, thumbnail BLOB, keypoints BLOB, width INTEGER, height INTEGER,
    bytes INTEGER, mtime REAL, sha256 TEXT, regions TEXT, classes BLOB, shares BLOB, vectors BLOB
);
"""
FACTS = "image, path, thumbnail, keypoints, width, height, bytes, mtime, sha256"
MADE = "regions, classes, shares, vectors"


@dataclass(frozen=True, slots=True)
class DescribedImage:
    """Everything the index stores about one image."""

    image: str
    path: bytes
    """Relative to the gallery, as raw file system bytes."""
    thumbnail: bytes
    keypoints: bytes
    width: int
    height: int
    bytes: int
    mtime: float
    sha256: str
    regions: list[Region]
    vectors: Vectors
    """(R, C) before whitening, (R, D) after it."""
    class_scores: ClassScores


class Journal:
    """Stores described images. Once the whitening is known it whitens their vectors and drops duplicate regions."""

    def __init__(self, connection: sqlite3.Connection, dedup_similarity: float) -> None:
        self._connection = connection
        self._distinct = dedup_similarity
        self._saved = time.monotonic()
        self._whitening: tuple[Whitening, int] | None = None

    @property
    def whitening(self) -> tuple[Whitening, int] | None:
        """The whitening and the number of images it was learned from; None until it is learned."""
        if self._whitening is None:
            for kind, learned, mean, projection in self._connection.execute("SELECT * FROM whitening"):
                centre = np.frombuffer(mean, np.float32)
                self._whitening = (
                    Whitening(kind, centre, np.frombuffer(projection, np.float32).reshape(len(centre), -1)),
                    learned,
                )
        return self._whitening

    def known(self) -> dict[str, tuple[int, float]]:
        """Image id -> (size in bytes, mtime) of every stored image."""
        rows = self._connection.execute("SELECT image, bytes, mtime FROM pictures")
        return {image: (size, mtime) for image, size, mtime in rows}

    def skipped(self) -> dict[str, Skipped]:
        return {row[0]: Skipped(*row) for row in self._connection.execute("SELECT * FROM skipped")}

    def add(self, picture: DescribedImage) -> None:
        """Store an image, replacing an earlier version."""
        self.remove(picture.image)
        if self.whitening is None:
            vectors = np.ascontiguousarray(picture.vectors, np.float32)
            self._connection.execute("INSERT INTO raw VALUES (?, ?)", (picture.image, vectors.tobytes()))
            self._insert(picture, None)
        else:
            self._insert(picture, self._whitened(picture.vectors))
        self._save_sometimes()

    def add_skipped(self, file: Skipped) -> None:
        self.remove(file.file)
        row = (file.file, file.reason, file.sentence, file.bytes, file.mtime)
        self._connection.execute("INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?, ?)", row)
        self._save_sometimes()

    def remove(self, image: str) -> None:
        for table in ("pictures", "raw"):
            self._connection.execute(f"DELETE FROM {table} WHERE image = ?", (image,))

    def waiting(self) -> int:
        """Number of regions that are not whitened yet."""
        row = self._connection.execute(
            "SELECT sum(json_array_length(regions)) FROM raw JOIN pictures ON raw.image = pictures.image"
        ).fetchone()
        return int(row[0] or 0)

    def raw(self) -> list[Vectors]:
        """Unwhitened vectors (R, C) of each waiting image, in insertion order."""
        rows = self._connection.execute(
            "SELECT raw.vectors, json_array_length(regions) FROM raw JOIN pictures ON raw.image = pictures.image "
            "ORDER BY raw.rowid"
        )
        return [np.frombuffer(data, np.float32).reshape(count, -1) for data, count in rows]

    def learn(self, whitening: Whitening, learned: int) -> None:
        """Set the whitening and apply it to all waiting images, in one transaction."""
        facts = (
            whitening.kind,
            learned,
            whitening.mean.tobytes(),
            np.ascontiguousarray(whitening.projection).tobytes(),
        )
        self._connection.execute("DELETE FROM whitening")
        self._connection.execute("INSERT INTO whitening VALUES (?, ?, ?, ?)", facts)
        self._whitening = whitening, learned
        waiting = "SELECT image, raw.vectors, regions, classes, shares FROM raw JOIN pictures USING (image)"
        for image, data, *made in self._connection.execute(waiting).fetchall():
            raw = np.frombuffer(data, np.float32).reshape(-1, len(whitening.mean))
            change = "UPDATE pictures SET regions = ?, classes = ?, shares = ?, vectors = ? WHERE image = ?"
            self._connection.execute(change, (*_distinct(*_decode_regions(*made), *self._whitened(raw)), image))
        self._connection.execute("DELETE FROM raw")
        self._connection.commit()

    def picture(self, image: str) -> DescribedImage:
        """A stored image with whitened vectors. Raises KeyError if it is unknown or not whitened yet."""
        row = self._connection.execute(f"SELECT {FACTS}, {MADE} FROM pictures WHERE image = ?", (image,)).fetchone()
        if row is None or row[-1] is None:
            raise KeyError(image)
        *given, written, classes, shares, vectors = row
        regions, class_scores = _decode_regions(written, classes, shares)
        return DescribedImage(
            **dict(zip(FACTS.split(", "), given, strict=True)),
            regions=regions,
            vectors=np.frombuffer(vectors, np.float32).reshape(len(regions), -1),
            class_scores=class_scores,
        )

    def counts(self) -> dict[str, int]:
        """Image id -> number of regions."""
        rows = self._connection.execute("SELECT image, json_array_length(regions) FROM pictures")
        return dict(rows.fetchall())

    def save(self) -> None:
        self._connection.commit()
        self._saved = time.monotonic()

    def _save_sometimes(self) -> None:
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def _whitened(self, raw: Vectors) -> tuple[Vectors, list[int]]:
        """raw (R, C) -> whitened vectors (R, D), and the indices of distinct regions."""
        assert self._whitening is not None
        vectors = self._whitening[0].apply(raw)
        return vectors, drop_duplicate_regions(vectors, self._distinct)

    def _insert(self, picture: DescribedImage, whitened: tuple[Vectors, list[int]] | None) -> None:
        facts = [getattr(picture, name) for name in FACTS.split(", ")]
        if whitened:
            made = _distinct(picture.regions, picture.class_scores, *whitened)
        else:
            made = (*_encode_regions(picture.regions, picture.class_scores), None)
        marks = ", ".join("?" * (len(facts) + len(made)))
        self._connection.execute(f"INSERT INTO pictures VALUES ({marks})", (*facts, *made))


@contextmanager
def open_journal(index_dir: Path, terms: str, dedup_similarity: float) -> Iterator[Journal]:
    """Open the journal of an interrupted build with the same `terms`, or an empty one.

    Added images survive if the body fails. If the process is killed, only the last second of work is lost.
    """
    with closing(_connect(index_dir, terms)) as connection:
        journal = Journal(connection, dedup_similarity)
        try:
            yield journal
        finally:
            connection.commit()


def remove_journal(index_dir: Path) -> None:
    for name in (FILE, f"{FILE}-journal"):
        (index_dir / name).unlink(missing_ok=True)


def _connect(index_dir: Path, terms: str) -> sqlite3.Connection:
    try:
        connection = _open_database(index_dir)
        if connection.execute("SELECT terms FROM terms").fetchall() == [(terms,)]:
            return connection
        connection.close()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
    remove_journal(index_dir)  # different terms or damaged; losing it costs only time
    connection = _open_database(index_dir)
    connection.execute("INSERT INTO terms VALUES (?)", (terms,))
    connection.commit()
    return connection


def _open_database(index_dir: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(index_dir / FILE, timeout=1)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(TABLES)
    return connection


def _distinct(
    regions: list[Region], class_scores: ClassScores, vectors: Vectors, kept: list[int]
) -> tuple[str, bytes, bytes, bytes | None]:
    """Column values of the kept regions."""
    stored = np.ascontiguousarray(vectors[kept], np.float32).tobytes()
    return *_encode_regions([regions[i] for i in kept], class_scores[kept]), stored


def _encode_regions(regions: list[Region], class_scores: ClassScores) -> tuple[str, bytes, bytes]:
    edges = [(r.box.x0, r.box.y0, r.box.x1, r.box.y1, r.kind, r.score, r.label) for r in regions]
    return json.dumps(edges), class_scores.classes.tobytes(), class_scores.shares.tobytes()


def _decode_regions(written: str, classes: bytes, shares: bytes) -> tuple[list[Region], ClassScores]:
    regions = [Region(Box(*edges), kind, score, label) for *edges, kind, score, label in json.loads(written)]
    top = len(classes) // 2 // max(len(regions), 1)
    return regions, ClassScores(
        np.frombuffer(classes, np.int16).reshape(len(regions), top),
        np.frombuffer(shares, np.float16).reshape(len(regions), top),
    )
