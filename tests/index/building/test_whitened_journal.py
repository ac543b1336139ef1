"""The provisional whitening of waves: from the first pictures of a journal, and from no more than people wait for."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from index.building.journal import DescribedImage, Journal, JournalKey, open_journal
from index.building.whitened_journal import MOST_PICTURES, WhitenedJournal
from index.storage.tables import ImageEntry
from retrieval.descriptors.whitening import learn_whitening
from retrieval.types import Box, ClassScores, Region, Vectors, unit

REGIONS, CHANNELS = 3, 4


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path, JournalKey("", "", {}), dedup_similarity=1.0) as journal:
        yield journal


def add(journal: Journal, numbers: range) -> list[Vectors]:
    """Add a picture for each number; returns the vectors of each."""
    all_vectors = [
        unit(np.random.default_rng(number).normal(number / 300, 1, (REGIONS, CHANNELS)).astype(np.float32))
        for number in numbers
    ]
    for number, vectors in zip(numbers, all_vectors, strict=True):
        entry = ImageEntry(f"{number:04d}.png", b"x", 9, 9, 1, 1.0, "0" * 64)
        regions = [Region(Box(0, 0, 9, 9), "grid")] * REGIONS
        journal.add(DescribedImage(entry, b"", b"", regions, vectors, ClassScores.unknown(REGIONS)))
    return all_vectors


def test_at_most_600_pictures_are_learned_from(journal: Journal) -> None:
    vectors = add(journal, range(MOST_PICTURES + 60))
    whitened = WhitenedJournal(journal, CHANNELS)
    expected = learn_whitening(np.concatenate(vectors[:600]), np.repeat(np.arange(600), REGIONS), CHANNELS)
    assert whitened.learned == MOST_PICTURES == 600
    assert np.array_equal(whitened.whitening.mean, expected.mean)
    assert np.array_equal(whitened.whitening.projection, expected.projection)
    add(journal, range(1000, 1000 + 2 * MOST_PICTURES))
    assert not whitened.is_outgrown(), "more pictures would teach nothing new"


def test_a_whitening_of_few_pictures_is_outgrown_by_twice_as_many(journal: Journal) -> None:
    add(journal, range(10))
    whitened = WhitenedJournal(journal, CHANNELS)
    add(journal, range(10, 19))
    assert whitened.learned == 10 and not whitened.is_outgrown()
    add(journal, range(19, 20))
    assert whitened.is_outgrown() and WhitenedJournal(journal, CHANNELS).learned == 20
