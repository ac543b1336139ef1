"""A collection whose folder has moved follows it, or nothing changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from boxfind import collection_table
from boxfind.attached_indexes import FILE
from boxfind.collection_table import CollectionsProblem
from boxfind.engines import Engines
from boxfind.settings import Settings
from index.building.jobs import locked
from index.operations import attach_gallery, away_check
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from retrieval.errors import BuildRunning, DiskFull
from tests.tiny import draw_picture, eight_pictures

Build = Callable[..., Path]


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(away_check, "LASTS", 0.0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def engines(data: Path, tmp_path: Path, build_index: Build) -> Engines:
    """The collection "Mine" of the folders `photos` and `more`, with an index. Then `photos` is renamed `moved`."""
    engines = Engines(Settings.load(data=data))
    folders = [eight_pictures(tmp_path / "photos"), tmp_path / "more"]
    folders[1].mkdir()
    engines.collections.table.add("Mine", folders)
    build_index(folders[0], into=str(engines.get("Mine").settings.index_dir.relative_to(tmp_path)))
    folders[0].rename(tmp_path / "moved")
    return engines


def place_of(engines: Engines) -> str:
    """The folder that the index of the collection names."""
    return read_manifest(current_folder(engines.get("Mine").settings.index_dir)).gallery


def move(engines: Engines, folder: Path) -> Any:
    return engines.follow(engines.collections.find("Mine"), folder)


def test_a_place_that_the_table_refuses_changes_nothing(engines: Engines, tmp_path: Path) -> None:
    inside = (tmp_path / "moved").rename(tmp_path / "more" / "moved")
    before = engines.collections.table.read()
    with pytest.raises(CollectionsProblem, match="name the outer folder only"):
        move(engines, inside)
    assert place_of(engines) == str(tmp_path / "photos") and engines.collections.table.read() == before
    assert not (tmp_path / "data" / FILE).exists()


def test_other_pictures_change_nothing(engines: Engines, tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    with pytest.raises(CollectionsProblem, match="does not have the pictures"):
        move(engines, tmp_path / "others")
    with locked(engines.get("Mine").settings.index_dir), pytest.raises(BuildRunning):
        move(engines, tmp_path / "moved")
    assert place_of(engines) == str(engines.collections.find("Mine").folders[0]) == str(tmp_path / "photos")


def test_a_table_that_could_not_be_written_is_written_the_next_time(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(collection_table, "replace_file", full)
        with pytest.raises(CollectionsProblem, match=r"collections\.json cannot be written: No space left"):
            move(engines, tmp_path / "moved")
    assert engines.collections.find("Mine").folders[0] == tmp_path / "photos"
    assert move(engines, tmp_path / "moved").folders == (tmp_path / "moved", tmp_path / "more")
    assert place_of(engines) == str(tmp_path / "moved")
    assert not engines.has_moved_to(engines.collections.find("Mine"), tmp_path / "moved")


def test_a_collection_keeps_its_index_where_the_folder_has_another_one(
    engines: Engines, data: Path, tmp_path: Path, build_index: Build
) -> None:
    index, moved = engines.get("Mine").settings.index_dir, tmp_path / "moved"
    other = Settings.load(data=data, gallery=moved).index_dir
    build_index(moved, into=str(other.relative_to(tmp_path)))
    assert engines.has_moved_to(engines.collections.find("Mine"), moved)
    assert move(engines, moved).index == index != other


def test_a_further_folder_is_followed_and_its_pictures_are_not_described_again(
    data: Path, tmp_path: Path, build_index: Build
) -> None:
    engines = Engines(Settings.load(data=data))
    folders = [eight_pictures(tmp_path / "photos"), eight_pictures(tmp_path / "old" / "more")]
    for picture in folders[1].rglob("*.png"):
        Pillow.fromarray(draw_picture(len(picture.name) + int(picture.stem) + 50)).save(picture)
    engines.collections.table.add("Mine", folders)
    into = str(engines.get("Mine").settings.index_dir.relative_to(tmp_path))
    build_index(folders[0], into=into, rules=engines.get("Mine").settings.gallery_rules)
    (tmp_path / "others").mkdir()
    assert not engines.has_moved_to(engines.collections.find("Mine"), tmp_path / "others")
    new = (tmp_path / "old").rename(tmp_path / "new") / "more"
    folders[0].rename(tmp_path / "away")  # of which nobody knows where it is yet
    assert engines.has_moved_to(engines.collections.find("Mine"), new)
    with pytest.raises(CollectionsProblem, match="does not have the pictures"):
        move(engines, tmp_path / "others")
    assert move(engines, new).folders == (folders[0], new)
    new = new.rename(tmp_path / "newer")  # before an update could put the first move into the index
    assert move(engines, new).folders == (folders[0], new)
    new = new.rename(tmp_path / "more")
    assert move(engines, new).folders == (folders[0], new)
    (tmp_path / "away").rename(folders[0])
    rules = engines.get("Mine").settings.gallery_rules
    changes = read_manifest(build_index(folders[0], into=into, rules=rules)).changes
    assert (changes.kept, changes.reread, changes.removed, changes.added) == (16, 0, 0, 0)


def test_the_first_of_two_folders_with_the_same_pictures_is_followed_first(
    data: Path, tmp_path: Path, build_index: Build
) -> None:
    engines = Engines(Settings.load(data=data))
    folders = [eight_pictures(tmp_path / "old" / name) for name in ("photos", "backup")]
    engines.collections.table.add("Mine", folders)
    settings = engines.get("Mine").settings
    build_index(folders[0], into=str(settings.index_dir.relative_to(tmp_path)), rules=settings.gallery_rules)
    new = (tmp_path / "old").rename(tmp_path / "new")
    assert move(engines, new / "photos").folders == (new / "photos", folders[1])
    assert move(engines, new / "backup").folders == (new / "photos", new / "backup")


@pytest.fixture
def given(data: Path, tmp_path: Path, build_index: Build) -> Engines:
    """The gallery `photos`, which was given at the start and has an index, and is then renamed `moved`."""
    engines = Engines(Settings.load(data=data, gallery=eight_pictures(tmp_path / "photos")))
    build_index(tmp_path / "photos", into=str(engines.settings.index_dir.relative_to(tmp_path)))
    (tmp_path / "photos").rename(tmp_path / "moved")
    return engines


def test_a_gallery_uses_the_index_that_its_new_place_has(
    given: Engines, data: Path, tmp_path: Path, build_index: Build
) -> None:
    own = Settings.load(data=data, gallery=tmp_path / "moved").index_dir
    build_index(tmp_path / "moved", into=str(own.relative_to(tmp_path)))
    given.follow(given.collections.find(), tmp_path / "moved")
    assert given.get().settings.index_dir == own and given.get().settings.gallery_dir == tmp_path / "moved"


@pytest.mark.parametrize("problem", [DiskFull, BuildRunning])
def test_a_gallery_that_cannot_follow_now_does_later(
    given: Engines, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: type[Exception]
) -> None:
    index, moved = given.settings.index_dir, tmp_path / "moved"

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device") if problem is DiskFull else BuildRunning("A build is running.")

    with monkeypatch.context() as patch:
        patch.setattr(attach_gallery, "share", refuse)
        with pytest.raises(problem, match="A build" if problem is BuildRunning else f"The disk is full: {index}"):
            given.follow(given.collections.find(), moved)
    assert Settings.load(data=data, gallery=moved).index_dir != index == given.get().settings.index_dir
    given.follow(given.collections.find(), moved)
    assert Settings.load(data=data, gallery=moved).index_dir == index == given.get().settings.index_dir
