"""What is written in pictures: the time to read them, bytes of a picture, and finding words in 100,000 pictures."""

import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench
from benchmarks.results import milliseconds, record, table
from boxfind.engine import Engine
from index.storage.picture_contents import PictureContents
from index.storage.written_search import find_written
from index.storage.written_text import FILE, WrittenText
from retrieval.types import Box, WrittenLine, quiet

PICTURES = 100_000
LINES, WORDS = 4, 3
"""Largest numbers of lines of a synthetic picture, and of words of a line; the smallest are 0 and 1."""
DIFFERENT_WORDS = 60_000
MISREAD = 0.1
"""Share of words with a wrong letter."""
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))
CHARACTERS = np.array([chr(0x4E00 + place) for place in range(3000)])
TOGETHER = 2000
QUERIES = 40
"""Queries of each kind."""


def measure(bench: Bench) -> None:
    bench.engine.gallery()
    engine = Engine(bench.settings.changed(text=True))
    text = WrittenText(engine.settings.index_dir)
    text.remove()
    began = time.perf_counter()
    read = engine.builds.read_text(quiet)
    seconds = time.perf_counter() - began
    lines = sum(len(text.lines(contents)) for contents in text.contents().tolist())
    facts = [read, f"{seconds:.0f} s", f"{1000 * seconds / read:.0f} ms", lines, f"{_size(text) / read:.0f}"]
    header = ["pictures", "time", "each", "lines", "bytes a picture"]
    record("Written text", table(header, [facts]), *_synthetic(bench.scratch / "written", PICTURES))


def _synthetic(folder: Path, pictures: int) -> list[str]:
    """Find words of each kind in synthetic pictures. Words are as frequent as those of a language (Zipf's law)."""
    folder.mkdir()
    rng, text = np.random.default_rng(0), WrittenText(folder)
    words = ["".join(rng.choice(LETTERS, rng.integers(3, 12))) for _ in range(DIFFERENT_WORDS)]
    words[::6] = ["".join(rng.choice(CHARACTERS, rng.integers(2, 7))) for _ in words[::6]]
    began = time.perf_counter()
    for start in range(0, pictures, TOGETHER):
        text.add({number: _lines(words, rng) for number in range(start, min(start + TOGETHER, pictures))})
    seconds = time.perf_counter() - began
    facts = [f"{pictures:,}", f"{_size(text) / pictures:.0f}", f"{seconds:.0f} s"]
    stored = table(["synthetic pictures", "bytes a picture", "time to store"], [facts])
    numbers = np.arange(pictures)
    gallery = PictureContents(numbers, numbers)
    rows = []
    for kind, queries in _queries(words, rng).items():
        times, found = [], []
        for query in queries:
            sought = list(dict.fromkeys([*query.split(), query]))  # as a text search asks
            began = time.perf_counter()
            matches = find_written(sought, text, gallery, lambda images: np.ones(len(images), np.bool_), 1000)
            times.append(time.perf_counter() - began)
            found.append(len(matches))
        rows.append([kind, f"{np.mean(found):.0f}", *milliseconds(times, 1, (0.5, 0.95, 1))])
    return [stored, table(["words", "pictures found", "ms (median)", "95 %", "slowest"], rows)]


def _queries(words: list[str], rng: np.random.Generator) -> dict[str, list[str]]:
    latin = [word for word in words if word.isascii() and len(word) > 5]
    chinese = [word for word in words if not word.isascii() and len(word) > 1]
    rare, other = latin[2000 : 2000 + QUERIES], latin[3000 : 3000 + QUERIES]
    return {
        "among the 40 most frequent": latin[:QUERIES],
        "two of the 40 most frequent": [f"{one} {two}" for one, two in pairwise(latin[: QUERIES + 1])],
        "rare": rare,
        "with a wrong letter": [_misread(word, rng) for word in rare],
        "a part of a word": [word[1:-1] for word in rare],
        "two words": [f"{one} {two}" for one, two in zip(rare, other, strict=True)],
        "in Chinese": chinese[:QUERIES],
        "written nowhere": ["".join(rng.choice(LETTERS, 13)) for _ in range(QUERIES)],
    }


def _lines(words: list[str], rng: np.random.Generator) -> list[WrittenLine]:
    lines = []
    for _ in range(rng.integers(LINES + 1)):
        places = rng.zipf(1.1, rng.integers(1, WORDS + 1)) % len(words)
        said = [_misread(words[place], rng) if rng.random() < MISREAD else words[place] for place in places]
        lines.append(WrittenLine(" ".join(said), Box(10, 20, 300, 60), 0.9))
    return lines


def _misread(word: str, rng: np.random.Generator) -> str:
    place = int(rng.integers(len(word)))
    return word[:place] + str(rng.choice(LETTERS)) + word[place + 1 :]


def _size(text: WrittenText) -> int:
    return sum(path.stat().st_size for path in text.index_dir.glob(f"{FILE}*"))
