"""Removing an image moves its file and changes nothing else."""

import os
from pathlib import Path

import pytest

from index.gallery import open_gallery
from index.operations.remove_images import remove_from_gallery
from retrieval.errors import DiskFull, GalleryProblem, PictureGone, UnknownPicture


@pytest.fixture
def indexed(gallery, build_index):
    return open_gallery(build_index(gallery))


def test_a_removed_image_is_moved_aside_and_is_not_in_the_next_build(gallery, indexed, tmp_path, build_index):
    data = (gallery / "below" / "6.png").read_bytes()
    aside = remove_from_gallery("below/6.png", gallery, indexed, tmp_path / "aside")
    assert aside.read_bytes() == data and aside.is_relative_to(tmp_path / "aside")
    assert aside.parts[-2:] == ("below", "6.png") and not (gallery / "below" / "6.png").exists()
    again = build_index(gallery)
    assert "below/6.png" not in open_gallery(again).tables.numbers


def test_the_same_name_twice_is_kept_twice(gallery, indexed, tmp_path):
    data = (gallery / "3.png").read_bytes()
    first = remove_from_gallery("3.png", gallery, indexed, tmp_path / "aside")
    (gallery / "3.png").write_bytes(data + b"other")
    second = remove_from_gallery("3.png", gallery, indexed, tmp_path / "aside")
    assert first.read_bytes() == data and second.read_bytes() == data + b"other"


def test_missing_files_and_links_are_refused(gallery, indexed, tmp_path):
    with pytest.raises(UnknownPicture, match="no picture"):
        remove_from_gallery("../3.png", gallery, indexed, tmp_path / "aside")
    (gallery / "3.png").rename(tmp_path / "3.png")
    with pytest.raises(PictureGone):
        remove_from_gallery("3.png", gallery, indexed, tmp_path / "aside")
    (gallery / "3.png").symlink_to(tmp_path / "3.png")
    with pytest.raises(GalleryProblem, match="link"):
        remove_from_gallery("3.png", gallery, indexed, tmp_path / "aside")
    (gallery / "below").rename(tmp_path / "elsewhere")
    (gallery / "below").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GalleryProblem, match="link"):
        remove_from_gallery("below/6.png", gallery, indexed, tmp_path / "aside")
    assert (tmp_path / "elsewhere" / "6.png").exists() and not (tmp_path / "aside").exists()


def test_a_file_that_cannot_be_deleted_leaves_no_copy(gallery, indexed, tmp_path, monkeypatch):
    unlink = os.unlink

    def read_only(path, *others, **how):
        if Path(path).is_relative_to(gallery):
            raise OSError(30, "Read-only file system")
        unlink(path, **how)

    monkeypatch.setattr("os.rename", read_only)
    monkeypatch.setattr("os.unlink", read_only)
    with pytest.raises(GalleryProblem, match="Read-only"):
        remove_from_gallery("3.png", gallery, indexed, tmp_path / "aside")
    monkeypatch.undo()
    assert (gallery / "3.png").exists() and not list((tmp_path / "aside").rglob("*.png"))


@pytest.mark.parametrize(("number", "raised"), [(28, DiskFull), (13, GalleryProblem)])
def test_move_errors_are_sentences(gallery, indexed, tmp_path, monkeypatch, number, raised):
    def refused(*_):
        raise OSError(number, "refused")

    monkeypatch.setattr("shutil.move", refused)
    with pytest.raises(raised, match=r"3\.png"):
        remove_from_gallery("3.png", gallery, indexed, tmp_path / "aside")
    assert (gallery / "3.png").exists()
