"""Every picture below a folder gets an id of its own; links and odd things are left out with a reason."""

import os
import unicodedata
from pathlib import Path

import pytest

from index.folder import find_pictures
from retrieval.errors import GalleryProblem


def touch(root: Path, *names: str | bytes) -> None:
    for name in names:
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def ids(root: Path) -> list[str]:
    return [found.id for found in find_pictures(root)[0]]


def test_nested_pictures_in_the_order_of_their_ids(tmp_path: Path):
    touch(tmp_path, "b.jpg", "a/z.png", "a/y/x.webp", "UPPER.JPG", "c.tiff", "B.jpeg")
    assert ids(tmp_path) == ["B.jpeg", "UPPER.JPG", "a/y/x.webp", "a/z.png", "b.jpg", "c.tiff"]


def test_hidden_files_and_folders_and_other_files_are_left_aside(tmp_path: Path):
    touch(tmp_path, ".hidden.jpg", ".thumbs/a.jpg", "notes.txt", "jpg", "a.jpg.part", "video.mp4", "a.jpg")
    assert ids(tmp_path) == ["a.jpg"]
    assert find_pictures(tmp_path)[1] == []


def test_links_are_followed_only_within_the_gallery(tmp_path: Path):
    root, outside = tmp_path / "gallery", tmp_path / "outside"
    touch(root, "inside.jpg", "folder/a.jpg")
    touch(outside, "secret.jpg")
    (root / "hard.jpg").hardlink_to(root / "inside.jpg")
    (root / "twin.jpg").symlink_to(root / "inside.jpg")
    (root / "out.jpg").symlink_to(outside / "secret.jpg")
    (root / "nothing.jpg").symlink_to(root / "gone.jpg")
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    (root / "folders").symlink_to(outside, target_is_directory=True)
    (root / "folder" / "up").symlink_to(root, target_is_directory=True)
    os.mkfifo(root / "pipe.jpg")
    found, skipped = find_pictures(root)
    assert [f.id for f in found] == ["folder/a.jpg", "hard.jpg", "inside.jpg", "twin.jpg"]
    reasons = {s.file: s.reason for s in skipped}
    assert reasons == {"loop.jpg": "dangling", "nothing.jpg": "dangling", "out.jpg": "outside", "pipe.jpg": "special"}
    assert all(s.file in s.sentence and s.sentence.endswith(".") for s in skipped)


def test_names_of_every_kind(tmp_path: Path):
    composed, decomposed = "é.jpg", "e\u0301.jpg"
    touch(
        tmp_path,
        "😀.jpg",
        "line\nbreak.jpg",
        "-rf.jpg",
        "שלום.jpg",
        b"\xff\xfe.jpg",
        b"\xfe\xfe.jpg",
        composed,
        decomposed,
    )
    found, _ = find_pictures(tmp_path)
    assert len(found) == 8 == len({f.id for f in found})
    for picture in found:
        assert unicodedata.is_normalized("NFC", picture.id)
        picture.id.encode()  # no lone surrogates: it can be stored and sent
        assert picture.path.exists()  # and the disk's own spelling still leads to the file
    assert {"é.jpg", "é.jpg~", "😀.jpg", "line\nbreak.jpg", "-rf.jpg"} <= {f.id for f in found}


def test_two_looks_give_the_same_ids(tmp_path: Path):
    touch(tmp_path, "é.jpg", "e\u0301.jpg", b"\xff.jpg", b"\xfe.jpg", "a/b.jpg")
    assert find_pictures(tmp_path) == find_pictures(tmp_path)


def test_a_gallery_may_itself_be_a_link(tmp_path: Path):
    touch(tmp_path / "real", "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert ids(tmp_path / "link") == ["a.jpg"]


def test_no_folder(tmp_path: Path):
    touch(tmp_path, "file.jpg")
    for path in (tmp_path / "gone", tmp_path / "file.jpg"):
        with pytest.raises(GalleryProblem, match="There is no gallery folder"):
            find_pictures(path)
    assert find_pictures(tmp_path)[1] == []
