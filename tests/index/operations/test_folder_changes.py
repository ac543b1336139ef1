"""Added, changed and removed files are reported, and no others."""

import os
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image as Pillow

from index.operations import folder_changes as module
from index.operations.folder_changes import FolderChanges, find_folder_changes, folder_change_sentences
from index.storage.manifest import read_manifest
from retrieval.errors import GalleryProblem


@pytest.fixture(autouse=True)
def known_recipe(monkeypatch) -> None:
    monkeypatch.setattr(module, "recipe_problem", lambda recipe: "")


def test_an_unchanged_folder_has_no_changes(gallery: Path, build_index):
    (gallery / "empty.jpg").touch()
    (gallery / "nowhere.png").symlink_to("gone.png")
    folder = build_index(gallery)
    assert find_folder_changes(folder) == FolderChanges([], [], []) and folder_change_sentences(folder.parent) == []


def test_new_changed_and_missing(gallery: Path, build_index, draw):
    (gallery / "empty.jpg").touch()
    folder = build_index(gallery)
    Pillow.fromarray(draw(40)).save(gallery / "new.png")
    shutil.copy(gallery / "2.png", gallery / "3.png")
    (gallery / "below" / "6.png").unlink()
    shutil.copy(gallery / "2.png", gallery / "empty.jpg")
    assert find_folder_changes(folder) == FolderChanges(["new.png"], ["3.png", "empty.jpg"], ["below/6.png"])
    new, changed, missing = folder_change_sentences(folder.parent)
    assert new.startswith("1 picture is not in the index yet: new.png. ") and "Update the index" in new
    assert changed.startswith("2 pictures have changed since they were indexed: 3.png, empty.jpg. ")
    assert missing.startswith("1 picture of the index is not in the folder: below/6.png. ")
    after = build_index(gallery)
    assert find_folder_changes(after) == FolderChanges([], [], [])


def test_a_touched_file_has_not_changed_and_the_same_size_may_have(gallery: Path, build_index):
    folder = build_index(gallery)
    for picture in gallery.rglob("*.png"):
        os.utime(picture, (1e9, 1e9))
    assert find_folder_changes(folder) == FolderChanges([], [], [])
    data = bytearray((gallery / "4.png").read_bytes())
    data[-20] ^= 1
    (gallery / "4.png").write_bytes(data)
    assert find_folder_changes(folder) == FolderChanges([], ["4.png"], [])


def test_a_change_during_the_build_is_noticed(gallery: Path, build_index):
    """Same size and mtime, other bytes. The mtime is in the future, so the file is always read."""
    os.utime(gallery / "4.png", (time.time() + 3600,) * 2)
    folder = build_index(gallery)
    status = (gallery / "4.png").stat()
    data = bytearray((gallery / "4.png").read_bytes())
    data[-20] ^= 1
    (gallery / "4.png").write_bytes(data)
    os.utime(gallery / "4.png", ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert find_folder_changes(folder).changed == ["4.png"]


def test_sentences_name_three_examples(gallery: Path, build_index, draw):
    folder = build_index(gallery)
    for number in range(5):
        Pillow.fromarray(draw(60)).save(gallery / f"new\n{number}.png")
    (said,) = folder_change_sentences(folder.parent)
    assert said.startswith("5 pictures are not in the index yet: new\ufffd0.png, new\ufffd1.png, new\ufffd2.png, …. ")


def test_a_missing_folder_is_reported(gallery: Path, build_index, tmp_path: Path):
    folder = build_index(gallery)
    gallery.rename(tmp_path / "away")
    with pytest.raises(GalleryProblem):
        find_folder_changes(folder)
    assert folder_change_sentences(folder.parent) == [
        f"The gallery folder {gallery} does not exist; check the path, and that its disk is connected."
    ]


def test_a_changed_recipe_is_reported_first(gallery: Path, build_index, monkeypatch):
    folder = build_index(gallery)
    monkeypatch.setattr(module, "recipe_problem", lambda recipe: f"Not {recipe.backbone}.")
    assert folder_change_sentences(folder.parent) == [f"Not {read_manifest(folder).recipe.backbone}."]


def test_progress_counts_pictures(gallery: Path, build_index):
    told = []
    find_folder_changes(build_index(gallery), lambda *step: told.append(step))
    assert told == [("Comparing the folder", number, 8) for number in range(1, 9)]
