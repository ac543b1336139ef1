"""Find the images of a gallery that pass a filter."""

import re
import time
import unicodedata
from collections.abc import Callable, Collection, Iterable
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from index.storage.tables import Tables
from retrieval.request import PictureFilter

Mask = NDArray[np.bool_]
Sides = NDArray[np.int64]
SQUARE = 1.05
"""A picture is square if its sides differ by at most this factor."""
SHAPES: dict[str, Callable[[Sides, Sides], Mask]] = {
    "landscape": lambda width, height: width > SQUARE * height,
    "portrait": lambda width, height: height > SQUARE * width,
    "square": lambda width, height: (width <= SQUARE * height) & (height <= SQUARE * width),
}
DAY = 86_400
LAST_DAY = 50_000
"""In the year 2106. Later times of files, and those before 1970, have the time zone of these days."""


def passing(chosen: PictureFilter, tables: Tables, album: Collection[str] = ()) -> Mask:
    """Which images pass all parts of a filter -> (N,). `album`: the SHA-256s of the pictures in the filter's album."""
    mask = np.ones(len(tables.ids), np.bool_)
    for word in chosen.name.split():
        mask &= _has(tables, word)
    if chosen.since or chosen.until:
        days = dates(tables).astype("datetime64[D]")
        mask &= (days >= _day(chosen.since or date.min)) & (days <= _day(chosen.until or date.max))
    width, height = _sides(tables)
    if chosen.shape:
        mask &= SHAPES[chosen.shape](width, height)
    if chosen.min_pixels:
        mask &= width * height >= chosen.min_pixels
    if chosen.album:
        mask &= _array(pc.is_in(tables.images["sha256"], pa.array(list(album), pa.string())))
    return mask


def dates(tables: Tables) -> NDArray[np.datetime64]:
    """When each picture was taken, by the camera's clock, or else when its file was changed, in local time -> (N,).

    Times of files can be an hour wrong on the days on which the clocks change.
    """
    taken = tables.images["taken"].to_numpy().astype("datetime64[s]")
    mtime = np.nan_to_num(tables.images["mtime"].to_numpy())
    days = np.clip(mtime // DAY, 0, LAST_DAY).astype(np.int64)
    offsets = np.zeros(LAST_DAY + 1)
    for day in np.flatnonzero(np.bincount(days)).tolist():
        offsets[day] = time.localtime(day * DAY).tm_gmtoff
    local = (mtime + offsets[days]).astype("datetime64[s]")
    return np.asarray(np.where(np.isnat(taken), local, taken))


def named(words: Iterable[str], tables: Tables) -> Mask:
    """Which images have all of these words, as whole words, in their path, in upper or lower case -> (N,)."""
    mask = np.ones(len(tables.ids), np.bool_)
    for word in words:
        pattern = rf"(^|[^\pL\pN]){re.escape(word)}($|[^\pL\pN])"
        mask &= _array(pc.match_substring_regex(tables.images["image"], pattern, ignore_case=True))
    return mask


def _has(tables: Tables, word: str) -> Mask:
    """Which images have a word in the path, in upper or lower case."""
    names = tables.images["image"]
    if not word.isascii():  # macOS writes ä as two characters
        names, word = pc.utf8_normalize(names, "NFC"), unicodedata.normalize("NFC", word)
    return _array(pc.match_substring(names, word, ignore_case=True))


def _sides(tables: Tables) -> tuple[Sides, Sides]:
    return tables.images["width"].to_numpy().astype(np.int64), tables.images["height"].to_numpy().astype(np.int64)


def _day(day: date) -> np.datetime64:
    return np.datetime64(day, "D")


def _array(column: pa.ChunkedArray) -> Mask:
    return np.asarray(column.to_numpy(), np.bool_)
