"""What a build has made so far, kept on disk from picture to picture: one that was interrupted goes on from here."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.folder import Skipped
from retrieval.regions import distinct_regions
from retrieval.types import Box, Region, Vectors
from retrieval.whitening import Whitening

FILE = "journal.sqlite"
SAVE_EVERY = 1.0
"""Seconds of work that an interruption may cost."""
TABLES = """
CREATE TABLE IF NOT EXISTS terms (terms TEXT);
CREATE TABLE IF NOT EXISTS whitening (kind TEXT, learned INTEGER, mean BLOB, projection BLOB);
CREATE TABLE IF NOT EXISTS skipped (file TEXT PRIMARY KEY, reason TEXT, sentence TEXT, bytes INTEGER, mtime REAL);
CREATE TABLE IF NOT EXISTS raw (image TEXT PRIMARY KEY, vectors BLOB);
CREATE TABLE IF NOT EXISTS pictures (
    image TEXT PRIMARY KEY, path BLOB, thumbnail BLOB, keypoints BLOB, width INTEGER, height INTEGER,
    bytes INTEGER, mtime REAL, sha256 TEXT, regions TEXT, vectors BLOB
);
"""
FACTS = "image, path, thumbnail, keypoints, width, height, bytes, mtime, sha256, regions, vectors"


@dataclass(frozen=True, slots=True)
class Described:
    """A picture that has been looked at: all that is kept of it."""

    image: str
    path: bytes
    """Below the gallery folder, as the disk spells it."""
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


class Journal:
    """Pictures come in before the whitening is known, and leave whitened, only the distinct regions of them."""

    def __init__(self, connection: sqlite3.Connection, distinct: float) -> None:
        self._connection = connection
        self._distinct = distinct
        self._saved = time.monotonic()
        self._whitening: tuple[Whitening, int] | None = None

    @property
    def whitening(self) -> tuple[Whitening, int] | None:
        """The whitening, and how many pictures it was learned from; None while it is still to be learned."""
        if self._whitening is None:
            for kind, learned, mean, projection in self._connection.execute("SELECT * FROM whitening"):
                centre = np.frombuffer(mean, np.float32)
                self._whitening = (
                    Whitening(kind, centre, np.frombuffer(projection, np.float32).reshape(len(centre), -1)),
                    learned,
                )
        return self._whitening

    def known(self) -> dict[str, tuple[int, float]]:
        """Size and time of every picture that is in here already."""
        rows = self._connection.execute("SELECT image, bytes, mtime FROM pictures")
        return {image: (size, mtime) for image, size, mtime in rows}

    def skipped(self) -> dict[str, Skipped]:
        return {row[0]: Skipped(*row) for row in self._connection.execute("SELECT * FROM skipped")}

    def add(self, picture: Described) -> None:
        """In the place of what was there of this picture."""
        self.remove(picture.image)
        if self.whitening is None:
            vectors = np.ascontiguousarray(picture.vectors, np.float32)
            self._connection.execute("INSERT INTO raw VALUES (?, ?)", (picture.image, vectors.tobytes()))
            self._insert(picture, picture.regions, None)
        else:
            self._insert(picture, *self._finished(picture.regions, picture.vectors))
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
        """How many regions wait for the whitening."""
        row = self._connection.execute(
            "SELECT sum(json_array_length(regions)) FROM raw JOIN pictures ON raw.image = pictures.image"
        ).fetchone()
        return int(row[0] or 0)

    def raw(self) -> list[Vectors]:
        """The vectors (R, C) of each picture that waits for the whitening, in the order they came."""
        rows = self._connection.execute(
            "SELECT raw.vectors, json_array_length(regions) FROM raw JOIN pictures ON raw.image = pictures.image "
            "ORDER BY raw.rowid"
        )
        return [np.frombuffer(data, np.float32).reshape(count, -1) for data, count in rows]

    def learn(self, whitening: Whitening, learned: int) -> None:
        """Whitens what waited for it, all at once or not at all."""
        facts = (
            whitening.kind,
            learned,
            whitening.mean.tobytes(),
            np.ascontiguousarray(whitening.projection).tobytes(),
        )
        self._connection.execute("DELETE FROM whitening")
        self._connection.execute("INSERT INTO whitening VALUES (?, ?, ?, ?)", facts)
        self._whitening = whitening, learned
        waiting = "SELECT raw.image, raw.vectors, regions FROM raw JOIN pictures ON raw.image = pictures.image"
        for image, data, written in self._connection.execute(waiting).fetchall():
            raw = np.frombuffer(data, np.float32).reshape(-1, len(whitening.mean))
            regions, vectors = self._finished(_regions(written), raw)
            change = "UPDATE pictures SET regions = ?, vectors = ? WHERE image = ?"
            self._connection.execute(change, (_text(regions), vectors.tobytes(), image))
        self._connection.execute("DELETE FROM raw")
        self._connection.commit()

    def picture(self, image: str) -> Described:
        """What was made of a picture, after the whitening. Raises KeyError when it is not in here."""
        row = self._connection.execute(f"SELECT {FACTS} FROM pictures WHERE image = ?", (image,)).fetchone()
        if row is None or row[-1] is None:
            raise KeyError(image)
        regions = _regions(row[-2])
        facts = dict(zip(FACTS.split(", ")[:-2], row[:-2], strict=True))
        return Described(**facts, regions=regions, vectors=np.frombuffer(row[-1], np.float32).reshape(len(regions), -1))

    def counts(self) -> dict[str, int]:
        """How many regions each picture has."""
        rows = self._connection.execute("SELECT image, json_array_length(regions) FROM pictures")
        return dict(rows.fetchall())

    def save(self) -> None:
        self._connection.commit()
        self._saved = time.monotonic()

    def _save_sometimes(self) -> None:
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def _finished(self, regions: list[Region], raw: Vectors) -> tuple[list[Region], Vectors]:
        assert self._whitening is not None
        vectors = self._whitening[0].apply(raw)
        kept = distinct_regions(vectors, self._distinct)
        return [regions[i] for i in kept], np.ascontiguousarray(vectors[kept], np.float32)

    def _insert(self, picture: Described, regions: list[Region], vectors: Vectors | None) -> None:
        facts = [getattr(picture, name) for name in FACTS.split(", ")[:-2]]
        stored = None if vectors is None else vectors.tobytes()
        marks = ", ".join("?" * (len(facts) + 2))
        self._connection.execute(f"INSERT INTO pictures VALUES ({marks})", (*facts, _text(regions), stored))


@contextmanager
def open_journal(index_dir: Path, terms: str, distinct: float) -> Iterator[Journal]:
    """The journal of earlier work under the same terms; an empty one where there is none or the terms were others.

    What was added is kept when the body fails, also when it is killed, but for the last second.
    """
    with closing(_connect(index_dir, terms)) as connection:
        journal = Journal(connection, distinct)
        try:
            yield journal
        finally:
            connection.commit()


def remove_journal(index_dir: Path) -> None:
    for name in (FILE, f"{FILE}-journal"):
        (index_dir / name).unlink(missing_ok=True)


def _connect(index_dir: Path, terms: str) -> sqlite3.Connection:
    try:
        connection = _opened(index_dir)
        if connection.execute("SELECT terms FROM terms").fetchall() == [(terms,)]:
            return connection
        connection.close()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
    remove_journal(index_dir)  # of another build, or damaged: it only saves work
    connection = _opened(index_dir)
    connection.execute("INSERT INTO terms VALUES (?)", (terms,))
    connection.commit()
    return connection


def _opened(index_dir: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(index_dir / FILE, timeout=1)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(TABLES)
    return connection


def _text(regions: list[Region]) -> str:
    return json.dumps([(r.box.x0, r.box.y0, r.box.x1, r.box.y1, r.kind) for r in regions])


def _regions(text: str) -> list[Region]:
    return [Region(Box(*edges), kind) for *edges, kind in json.loads(text)]
