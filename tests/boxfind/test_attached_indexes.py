"""The index of a folder that has moved stays where it is and belongs to the new place."""

from pathlib import Path

from boxfind.attached_indexes import FILE, attach_index
from boxfind.settings import Settings

OLD, NEW, OTHER = Path("/photos/old"), Path("/photos/new"), Path("/elsewhere")


def own(data: Path, folder: Path) -> Path:
    return Settings.load(data=data, gallery=folder).index_dir


def test_a_folder_has_its_own_index_until_one_is_attached(tmp_path: Path) -> None:
    index, searches = own(tmp_path, OLD), Settings.load(data=tmp_path, gallery=OLD).searches_file
    attach_index(tmp_path, NEW, index)
    assert own(tmp_path, NEW) == index and Settings.load(data=tmp_path, gallery=NEW).searches_file == searches
    assert own(tmp_path, OTHER) == Settings.load(data=tmp_path, gallery=OTHER).index_dir != index


def test_another_folder_at_the_old_place_gets_another_index(tmp_path: Path) -> None:
    index = own(tmp_path, OLD)
    attach_index(tmp_path, NEW, index)
    assert own(tmp_path, OLD) == index.with_name(f"{index.name}-2")


def test_an_index_belongs_to_its_last_place_only(tmp_path: Path) -> None:
    index = own(tmp_path, OLD)
    attach_index(tmp_path, NEW, index)
    attach_index(tmp_path, OTHER, index)
    assert own(tmp_path, OTHER) == index != own(tmp_path, NEW)
    attach_index(tmp_path, OLD, index)
    assert own(tmp_path, OLD) == index != own(tmp_path, OTHER)


def test_an_index_elsewhere_is_attached_too(tmp_path: Path) -> None:
    attach_index(tmp_path, NEW, tmp_path / "stick" / "index")
    assert own(tmp_path, NEW) == tmp_path / "stick" / "index"


def test_the_data_folder_can_be_moved(tmp_path: Path) -> None:
    before = own(tmp_path / "data", OLD)
    attach_index(tmp_path / "data", NEW, before)
    (tmp_path / "data").rename(tmp_path / "other")
    assert own(tmp_path / "other", NEW) == tmp_path / "other" / "indexes" / before.name


def test_a_damaged_file_is_ignored_and_replaced(tmp_path: Path) -> None:
    index = own(tmp_path, OLD)
    (tmp_path / FILE).write_text("{")
    assert own(tmp_path, OLD) == index
    attach_index(tmp_path, NEW, index)
    assert own(tmp_path, NEW) == index and [path.name for path in tmp_path.iterdir()] == [FILE]
