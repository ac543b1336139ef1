"""A gallery that was moved or renamed is recognised by its files, and its index follows without reading them."""

import os
import shutil
from pathlib import Path

import pytest

from index.building.jobs import locked
from index.gallery import open_gallery
from index.operations import moved_gallery
from index.operations.attach_gallery import attach_gallery
from index.operations.moved_gallery import GallerySample, find_gallery, gallery_sample, is_same_gallery
from index.operations.read_original import read_original
from index.operations.verify import verify_generation
from index.storage.gallery_rules import GalleryRules
from index.storage.generation import current_folder, generations
from index.storage.manifest import Wave, read_manifest
from index.storage.publishing import publish_wave, scratch_folder
from retrieval.errors import BuildRunning, IndexProblem
from tests.conftest import BuildIndex
from tests.same import assert_same_index


@pytest.fixture
def place(tmp_path: Path, gallery: Path) -> Path:
    """The gallery at home/pictures/gallery, so that there is something around it."""
    (tmp_path / "home" / "pictures").mkdir(parents=True)
    return gallery.rename(tmp_path / "home" / "pictures" / "gallery")


@pytest.fixture
def indexed(place: Path, tmp_path: Path, build_index: BuildIndex) -> Path:
    index = tmp_path / "index"
    for picture in place.rglob("*.png"):
        os.utime(picture, (1e9, 1e9))
    build_index(place)
    return index


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setattr(moved_gallery, "_drives", lambda: [tmp_path / "drive"])


@pytest.mark.parametrize(
    "new",
    [
        "home/pictures/holiday",
        "home/pictures/old/gallery",
        "home/pictures/a/another name",
        "home/gallery",
        "home/anything",
        "home/photos/gallery",
        "drive/gallery",
        "drive/pictures/gallery",
        "drive/backup/gallery",
    ],
)
def test_a_moved_folder_is_found(indexed: Path, place: Path, tmp_path: Path, new: str) -> None:
    (tmp_path / new).parent.mkdir(parents=True, exist_ok=True)
    sample = gallery_sample(indexed)
    assert find_gallery(sample) is None and is_same_gallery(sample, place)
    place.rename(tmp_path / new)
    assert find_gallery(sample) == tmp_path / new


def test_a_renamed_folder_above_is_found(indexed: Path, place: Path, tmp_path: Path) -> None:
    place.parent.rename(tmp_path / "home" / "photographs")
    assert find_gallery(gallery_sample(indexed)) == tmp_path / "home" / "photographs" / "gallery"


def test_a_likely_place_comes_first_and_time_is_limited(indexed: Path, place: Path, tmp_path: Path) -> None:
    sample = gallery_sample(indexed)
    for new in ("far/away/elsewhere", "home/pictures/holiday"):
        shutil.copytree(place, tmp_path / new)
    place.rename(tmp_path / "hidden")
    assert find_gallery(sample) == tmp_path / "home/pictures/holiday"
    assert find_gallery(sample, [tmp_path / "far/away/elsewhere"]) == tmp_path / "far/away/elsewhere"
    assert find_gallery(sample, seconds=-1) is None


def test_a_place_of_another_system_is_found_on_a_drive(indexed: Path, place: Path, tmp_path: Path) -> None:
    (tmp_path / "drive" / "photos").mkdir(parents=True)
    there = place.rename(tmp_path / "drive" / "photos" / "2019")
    for old in ("D:\\photos\\2019", "/Volumes/Stick/photos/2019"):
        assert find_gallery(GallerySample(old, gallery_sample(indexed).files)) == there


def test_one_large_file_is_read_if_there_are_only_such(
    indexed: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = gallery_sample(indexed)
    monkeypatch.setattr(moved_gallery, "MOST_BYTES", 1)
    assert is_same_gallery(sample, place)
    smallest = min(place.rglob("*.png"), key=lambda picture: picture.stat().st_size)
    spoil(smallest)
    assert not is_same_gallery(sample, place)


def test_other_pictures_under_the_same_names_are_not_the_gallery(indexed: Path, place: Path) -> None:
    sample = gallery_sample(indexed)
    for picture in place.rglob("*.png"):
        picture.write_bytes(bytes(reversed(picture.read_bytes())))
    assert not is_same_gallery(sample, place)


def test_a_gallery_of_which_a_few_pictures_are_gone_or_edited_is_recognised(indexed: Path, place: Path) -> None:
    sample = gallery_sample(indexed)
    assert len(sample.files) == 8
    first, second, *others = sorted(place.rglob("*.png"))
    first.unlink()
    assert is_same_gallery(sample, place)
    second.write_bytes(b"edited")
    assert is_same_gallery(sample, place)
    for picture in others[:3]:
        picture.unlink()
    assert not is_same_gallery(sample, place)


def test_only_the_first_of_several_folders_tells_where_it_has_moved(
    place: Path, tmp_path: Path, build_index: BuildIndex
) -> None:
    other = Path(shutil.copytree(place, tmp_path / "other"))
    for picture in sorted(place.rglob("*.png"))[2:]:
        picture.unlink()
    build_index(place, rules=GalleryRules(more_folders=(other,)))
    sample = gallery_sample(tmp_path / "index")
    moved = place.rename(tmp_path / "home" / "pictures" / "moved")
    assert not is_same_gallery(sample, tmp_path / "missing") and find_gallery(sample) == moved
    (tmp_path / "unrelated").mkdir()
    assert not is_same_gallery(sample, tmp_path / "unrelated")
    another = gallery_sample(tmp_path / "index", 1)
    assert another.folder == str(other) and is_same_gallery(another, other) and not is_same_gallery(another, moved)


def spoil(picture: Path) -> None:
    """Change a file so that only reading it tells."""
    facts = picture.stat()
    picture.write_bytes(bytes(reversed(picture.read_bytes())))
    os.utime(picture, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_an_index_follows_its_folder_and_reads_nothing(
    indexed: Path, place: Path, tmp_path: Path, build_index: BuildIndex
) -> None:
    before = current_folder(indexed)
    moved = place.rename(tmp_path / "moved")
    after = attach_gallery(indexed, moved)
    assert current_folder(indexed) == after != before and not verify_generation(after)
    manifest, gallery = read_manifest(after), open_gallery(after)
    assert (manifest.gallery, manifest.changes.kept) == (str(moved.resolve()), 8)
    assert_same_index(open_gallery(before), gallery)
    assert all(read_original(gallery, image) for image in gallery.tables.ids)
    for picture in moved.rglob("*.png"):
        spoil(picture)
    assert build_index(moved) == after, "the update reads no picture and finds nothing to do"


def test_an_update_with_the_new_place_reads_nothing(
    indexed: Path, place: Path, tmp_path: Path, build_index: BuildIndex
) -> None:
    moved = place.rename(tmp_path / "moved")
    for picture in moved.rglob("*.png"):
        spoil(picture)
    changes = read_manifest(build_index(moved)).changes
    assert (changes.kept, changes.reread, changes.added, changes.changed, changes.removed) == (8, 0, 0, 0, 0)


def test_an_index_that_is_being_built_or_missing_does_not_follow(indexed: Path, place: Path, tmp_path: Path) -> None:
    before = current_folder(indexed)
    with locked(indexed), pytest.raises(BuildRunning):
        attach_gallery(indexed, place)
    assert current_folder(indexed) == before
    with pytest.raises(IndexProblem):
        attach_gallery(tmp_path / "no index", place)
    with pytest.raises(IndexProblem):
        gallery_sample(tmp_path / "no index")


def test_a_wave_of_an_interrupted_build_follows_and_the_complete_generation_stays(
    indexed: Path, place: Path, tmp_path: Path
) -> None:
    complete = current_folder(indexed)
    with scratch_folder(indexed) as folder:
        shutil.copytree(complete, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json"))
        wave = publish_wave(folder, indexed, read_manifest(complete).model_copy(update={"wave": Wave(found=20)}))
    assert current_folder(indexed) == wave
    after = attach_gallery(indexed, place.rename(tmp_path / "moved"))
    assert current_folder(indexed) == after and read_manifest(after).wave == Wave(found=20)
    assert complete in generations(indexed)
