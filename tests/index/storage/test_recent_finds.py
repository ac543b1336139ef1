"""The file of recent finds is bounded, ordered, and any bytes in it do no harm."""

import os
from pathlib import Path

import numpy as np
import pytest

from index.storage.recent_finds import FILE, MOST, note_finds, recent_finds


def test_the_last_finds_come_first_and_once(tmp_path: Path):
    assert recent_finds(tmp_path).tolist() == []
    note_finds(tmp_path, np.array([3, -4, 5]))
    note_finds(tmp_path, np.array([2**62, 5]))
    assert recent_finds(tmp_path).tolist() == [2**62, 5, 3, -4]
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_it_is_bounded(tmp_path: Path):
    for first in range(0, 3 * MOST, MOST // 2):
        note_finds(tmp_path, np.arange(first, first + MOST // 2))
    assert recent_finds(tmp_path).tolist()[0] == 5 * MOST // 2 and (tmp_path / FILE).stat().st_size == 8 * MOST


@pytest.mark.parametrize("damage", [b"", b"abc", b"x" * 1_000_003])
def test_r91_any_bytes_are_read(tmp_path: Path, damage: bytes):
    (tmp_path / FILE).write_bytes(damage)
    assert len(recent_finds(tmp_path)) == min(len(damage) // 8, MOST)
    note_finds(tmp_path, np.array([7]))
    assert recent_finds(tmp_path)[0] == 7


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_a_folder_that_cannot_be_written_raises(tmp_path: Path):
    with pytest.raises(OSError):
        note_finds(tmp_path / "missing", np.array([7]))
