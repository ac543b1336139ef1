"""System folders, ignore patterns and Boxfind's own folders are left out of a scan."""

from pathlib import Path

import pytest

from index.storage.folder_scan import scan_gallery
from index.storage.gallery_rules import GalleryRules, LeftOut, ignores, left_out_sentence
from retrieval.errors import GalleryProblem
from tests.index.storage.test_folder_scan import touch

SYSTEM = [
    *("@eaDir", "#recycle", "#snapshot", "@Recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX"),
    *("lost+found", "files_trashbin", "Home.photoslibrary/resources", "Lightroom Previews.lrdata", "CaptureOne/Cache"),
]


def ids(root: Path, *patterns: str) -> list[str]:
    return [found.id for found in scan_gallery(root, GalleryRules(patterns)).found]


@pytest.mark.parametrize("folder", SYSTEM)
def test_r65_system_folders_are_left_out_at_every_depth_and_can_be_brought_back(tmp_path: Path, folder: str):
    touch(tmp_path, "a.jpg", f"{folder}/b.jpg", f"album/{folder}/a.jpg/c.jpg", "album/d.jpg")
    scan = scan_gallery(tmp_path)
    assert [found.id for found in scan.found] == ["a.jpg", "album/d.jpg"] and not scan.skipped
    assert sorted(entry.path.decode() for entry in scan.left_out) == sorted([folder, f"album/{folder}"])
    again = "!\\" + folder if folder.startswith("#") else f"!**/{folder}/"
    assert len(ids(tmp_path, again)) == 4


def test_r65_a_folder_with_nomedia_is_left_out_with_everything_below(tmp_path: Path):
    touch(tmp_path, "a.jpg", "private/.nomedia", "private/b.jpg", "private/below/c.jpg")
    assert ids(tmp_path) == ["a.jpg"]
    assert ids(tmp_path, "!private/") == ["a.jpg", "private/b.jpg", "private/below/c.jpg"]
    assert ids(tmp_path / "private") == ["b.jpg", "below/c.jpg"]  # the gallery itself was asked for


def test_r65_patterns_of_the_settings(tmp_path: Path):
    touch(
        tmp_path, "a.jpg", "a.png", "drafts/b.jpg", "2020/drafts/c.jpg", "2020/d.png", "2020/keep.png", "notes.png.txt"
    )
    assert ids(tmp_path, "*.png", "!keep.png", "/drafts/") == ["2020/drafts/c.jpg", "2020/keep.png", "a.jpg"]
    scan = scan_gallery(tmp_path, GalleryRules(("*.png", "drafts/")))
    assert {entry.path for entry in scan.left_out} == {
        b"a.png",
        b"drafts",
        b"2020/drafts",
        b"2020/d.png",
        b"2020/keep.png",
    }


def test_r65_an_ignore_file_holds_for_its_folder_and_below(tmp_path: Path):
    touch(tmp_path, "a.png", "album/a.png", "album/below/b.png", "album/inner/c.png", "album/a.jpg", "@eaDir/e.jpg")
    (tmp_path / "album" / ".boxfindignore").write_text("# drafts\n/a.png\n*.png\n", encoding="utf-8-sig")
    (tmp_path / "album" / "inner" / ".boxfindignore").write_text("!c.png\r\n")
    (tmp_path / ".boxfindignore").write_text("!@eaDir/\n")
    assert ids(tmp_path) == ["@eaDir/e.jpg", "a.png", "album/a.jpg", "album/inner/c.png"]


def test_r65_patterns_that_cannot_be_used_stop_the_scan(tmp_path: Path):
    touch(tmp_path, "a.jpg", "private/b.jpg")
    (tmp_path / "private" / ".boxfindignore").write_text("*\n!\n")
    with pytest.raises(GalleryProblem, match=r"^private/\.boxfindignore contains the pattern !, which is not valid"):
        scan_gallery(tmp_path)
    (tmp_path / "private" / ".boxfindignore").unlink()
    (tmp_path / "private" / ".boxfindignore").mkdir()
    with pytest.raises(GalleryProblem, match="it is not a file"):
        scan_gallery(tmp_path)


def test_r65_folders_of_boxfind_in_the_gallery_are_left_out(tmp_path: Path):
    touch(tmp_path, "a.jpg", "data/removed/b.jpg", "index/c.jpg")
    rules = GalleryRules(own_folders=frozenset({tmp_path, tmp_path / "data"})).with_own_folder(tmp_path / "index")
    scan = scan_gallery(tmp_path, rules)
    assert [found.id for found in scan.found] == ["a.jpg"]
    assert {entry.why for entry in scan.left_out} == {"own"}


def test_r65_what_is_left_out_is_named_once():
    left_out = [LeftOut(f"{n}/@eaDir".encode(), "system") for n in range(3)] + [LeftOut(b"#recycle", "system")]
    assert left_out_sentence(left_out) == "Left out: 4 system folders (#recycle, @eaDir)."
    more = [LeftOut(b"\xff\n.png", "pattern"), LeftOut(b"mine", ".nomedia")]
    assert (
        left_out_sentence(more)
        == "Left out: 1 folder with a file .nomedia (mine), 1 file or folder by pattern (��.png)."
    )
    assert left_out_sentence([]) == ""


def test_one_file_is_judged_as_by_a_scan(tmp_path: Path):
    names = ["a.jpg", "b.png", "@eaDir/c.jpg", "x/.nomedia", "x/d.jpg", "x/y/e.jpg", "z/f.jpg", "z/g.jpg", "data/h.jpg"]
    touch(tmp_path, *names)
    (tmp_path / "z" / ".boxfindignore").write_text("g.*")
    rules = GalleryRules(("*.png", "!@eaDir/"), own_folders=frozenset({tmp_path / "data"}))
    found = {file.id for file in scan_gallery(tmp_path, rules).found}
    assert found == {"a.jpg", "@eaDir/c.jpg", "z/f.jpg"}
    assert all(ignores(tmp_path, name, rules) != (name in found) for name in names if name != "x/.nomedia")
