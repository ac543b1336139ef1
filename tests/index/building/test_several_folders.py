"""A gallery of several folders: ids, files, updates, and what is asked about single files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.gallery import open_gallery
from index.operations.explain import explain
from index.operations.folder_changes import find_folder_changes
from index.operations.read_original import read_original
from index.operations.remove_images import remove_from_gallery
from index.storage.folder_scan import folder_labels, scan_gallery
from index.storage.gallery_rules import GalleryRules
from retrieval.errors import GalleryAway, GalleryProblem
from tests.tiny import eight_pictures


@pytest.fixture
def rules(tmp_path: Path, gallery: Path) -> GalleryRules:
    """Two more folders of the same name, one of them with pictures in a subfolder that is left out."""
    folders = tuple(eight_pictures(tmp_path / above / "more") for above in ("x", "y"))
    (folders[1] / "drafts").mkdir()
    (folders[1] / "0.png").rename(folders[1] / "drafts" / "0.png")
    return GalleryRules(ignore=("drafts/",), more_folders=folders)


def test_ids_begin_with_the_name_of_their_folder(gallery: Path, rules: GalleryRules) -> None:
    scan = scan_gallery(gallery, rules)
    ids = [file.id for file in scan.found]
    assert ids == sorted(ids) and len(ids) == 8 + 8 + 7
    assert {"3.png", "more/3.png", "more (2)/3.png"} <= {*ids} and "more (2)/0.png" not in ids
    assert all((gallery / file.relative.decode()).samefile(file.path) for file in scan.found)
    assert list(folder_labels(rules.more_folders).values()) == ["more/", "more (2)/"]


def test_a_folder_called_like_another_one_of_the_gallery_loses_no_picture(gallery: Path, rules: GalleryRules) -> None:
    (gallery / "more").mkdir()
    (gallery / "more" / "3.png").write_bytes((gallery / "3.png").read_bytes())
    ids = [file.id for file in scan_gallery(gallery, rules).found]
    assert {"more/3.png", "more/3.png~"} <= {*ids} and len({*ids}) == len(ids) == 24


def test_pictures_of_all_folders_are_indexed_read_and_updated(
    gallery: Path, rules: GalleryRules, build_index: Any, tmp_path: Path
) -> None:
    folder = build_index(gallery, rules=rules)
    opened = open_gallery(folder)
    assert opened.image_count == 23 and build_index(gallery, rules=rules) == folder
    other = rules.more_folders[1] / "3.png"
    assert opened.file("more (2)/3.png") == other
    assert read_original(opened, "more (2)/3.png") == other.read_bytes()
    for asked in ("more (2)/3.png", str(other)):
        assert explain(folder.parent, asked, rules).image == "more (2)/3.png"
    assert find_folder_changes(folder, rules=rules) == replace(
        find_folder_changes(folder, rules=rules), new=[], changed=[], missing=[], left_out=[]
    )
    aside = remove_from_gallery("more (2)/3.png", gallery, opened, tmp_path / "aside")
    assert not other.exists() and aside.is_relative_to(tmp_path / "aside") and aside.name == "3.png"
    assert find_folder_changes(folder, rules=rules).missing == ["more (2)/3.png"]
    assert open_gallery(build_index(gallery, rules=rules)).image_count == 22


def test_a_folder_that_is_taken_away_leaves_the_others_as_they_are(
    gallery: Path, rules: GalleryRules, build_index: Any
) -> None:
    before = open_gallery(build_index(gallery, rules=rules))
    after = open_gallery(build_index(gallery, rules=replace(rules, more_folders=rules.more_folders[:1])))
    assert after.image_count == 16 and after.manifest.changes.kept == 16 and before.manifest.more_folders


def test_r100_a_drive_that_is_away_changes_no_index(
    gallery: Path, rules: GalleryRules, build_index: Any, tmp_path: Path
) -> None:
    folder = build_index(gallery, rules=rules)
    rules.more_folders[0].rename(tmp_path / "elsewhere")
    with pytest.raises(GalleryProblem, match="disk is connected"):
        build_index(gallery, rules=rules)
    assert (folder.parent / "CURRENT").read_text().strip().startswith(folder.name)
    assert open_gallery(folder).thumbnail("more/3.png")


@pytest.mark.parametrize("number", [0, 1])
def test_r100_a_drive_that_is_not_mounted_leaves_an_empty_folder_and_changes_no_index(
    gallery: Path, rules: GalleryRules, build_index: Any, tmp_path: Path, number: int
) -> None:
    folder = build_index(gallery, rules=rules)
    away = (gallery, *rules.more_folders)[number]
    away.rename(tmp_path / "elsewhere")
    away.mkdir()
    with pytest.raises(GalleryProblem, match=rf"{away.name} is empty, but the index holds pictures of it \(8\)"):
        build_index(gallery, rules=rules)
    assert (folder.parent / "CURRENT").read_text().strip().startswith(folder.name)
    (away / "readme.txt").write_text("The pictures were deleted.")
    assert open_gallery(build_index(gallery, rules=rules)).image_count == 15


def test_a_further_folder_that_has_moved_is_not_taken_for_one_that_was_emptied(
    tmp_path: Path, rules: GalleryRules, build_index: Any
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    build_index(inbox, rules=rules)
    moved = rules.more_folders[0].rename(tmp_path / "moved")
    folder = build_index(inbox, rules=replace(rules, more_folders=(moved, rules.more_folders[1])))
    assert open_gallery(folder).image_count == 15


def test_pictures_of_the_folders_that_are_there_can_be_opened(
    gallery: Path, rules: GalleryRules, tmp_path: Path, build_index: Any
) -> None:
    opened = open_gallery(build_index(gallery, rules=rules))
    rules.more_folders[0].rename(tmp_path / "elsewhere")
    with pytest.raises(GalleryAway):
        read_original(opened, "more/3.png")
    gallery.rename(tmp_path / "also elsewhere")
    assert read_original(opened, "more (2)/3.png") == (rules.more_folders[1] / "3.png").read_bytes()
    with pytest.raises(GalleryAway):
        read_original(opened, "3.png")
