"""The first files to be read stand for the whole gallery."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.building.visiting_order import visiting_order
from index.storage.folder_scan import ScannedFile


def file(name: str, mtime: float = 0.0) -> ScannedFile:
    return ScannedFile(name, Path("/gallery", name), name.encode(), 1000, mtime)


@given(st.sets(st.text("abc/", min_size=1), max_size=40))
def test_every_file_is_visited_once_whatever_the_order_of_the_scan(names: set[str]):
    files = [file(name) for name in sorted(names)]
    order = visiting_order(files)
    assert sorted(order, key=lambda file: file.id) == files
    assert visiting_order(reversed(files)) == order


@pytest.mark.parametrize("first", [16, 37, 100])
def test_the_first_files_are_of_all_folders_and_of_all_dates(first: int):
    """Each folder and each tenth of the dates has its share of them, give or take two."""
    folders = {"a": 100, "b": 400, "c/d": 500}
    files = [
        file(f"{folder}/{number:03d}.jpg", mtime=(number * 37 + 11) % count / count)
        for folder, count in folders.items()
        for number in range(count)
    ]
    visited = visiting_order(files)[:first]
    of_folder = Counter(one.id.rpartition("/")[0] for one in visited)
    assert all(abs(of_folder[folder] - first * count / 1000) <= 2 for folder, count in folders.items())
    dates = Counter(int(one.mtime * 10) for one in visited if one.id.startswith("c/d"))
    assert all(abs(dates[tenth] - first / 20) <= 2 for tenth in range(10))


def test_what_repeats_in_every_folder_does_not_decide_what_comes_first():
    """Of folders with eight views each, views of every number come early."""
    files = [file(f"{folder:03d}/{view}.jpg", mtime=view) for folder in range(64) for view in range(8)]
    assert len({one.id[-5] for one in visiting_order(files)[:64]}) == 8
