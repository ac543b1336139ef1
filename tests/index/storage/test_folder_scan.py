"""Every image gets a unique id; links and special files are skipped with a reason."""

import os
import socket
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from types import SimpleNamespace

import pytest

from index.storage import folder_scan as module
from index.storage.file_system import is_junction
from index.storage.folder_scan import ScannedFile, Skipped, find_pictures, path_bytes
from index.storage.gallery_rules import GalleryRules, left_out_sentence
from retrieval.errors import GalleryProblem, UnreadableImage
from retrieval.images.decode import load_image
from retrieval.images.file_kinds import PACKAGES
from retrieval.optional_packages import OptionalPackage


def touch(root: Path, *names: str | bytes) -> None:
    for name in names:
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@contextmanager
def without_rights() -> Iterator[None]:
    """Drop the privileges of root, so that file permissions apply."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may read, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for path in folder.rglob("*"):
            path.chmod(0o755)


def ids(root: Path) -> list[str]:
    return [found.id for found in find_pictures(root)[0]]


@pytest.mark.parametrize("path", [PurePosixPath("a/é.png"), PureWindowsPath(r"a\é.png")], ids=["posix", "windows"])
def test_the_parts_of_a_path_are_kept_with_slashes_between_them(path: PurePath):
    assert path_bytes(path) == "a/é.png".encode()


def test_nested_pictures_in_the_order_of_their_ids(tmp_path: Path):
    touch(tmp_path, "b.jpg", "a/z.png", "a/y/x.webp", "UPPER.JPG", "c.tiff", "B.jpeg")
    assert ids(tmp_path) == ["B.jpeg", "UPPER.JPG", "a/y/x.webp", "a/z.png", "b.jpg", "c.tiff"]


def test_hidden_and_other_files_are_ignored(tmp_path: Path):
    touch(tmp_path, ".hidden.jpg", ".thumbs/a.jpg", "notes.txt", "jpg", "a.jpg.part", "song.mp3", "a.jpg")
    assert ids(tmp_path) == ["a.jpg"]
    assert find_pictures(tmp_path)[1] == []


def test_size_and_mtime_are_those_of_the_link_target(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(bytes(123))
    os.utime(tmp_path / "a.jpg", (5, 1_700_000_000.25))
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    assert find_pictures(tmp_path)[0] == [
        ScannedFile(name, tmp_path / name, name.encode(), 123, 1_700_000_000.25) for name in ("a.jpg", "b.jpg")
    ]


JPEG, HEIC = b"\xff\xd8\xff\xe0" + bytes(20), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (root / name).write_bytes(data)


def test_r04_a_picture_without_suffix_is_read(tmp_path: Path):
    touch(tmp_path, "a.jpg", "empty")
    write(tmp_path, {"picture": JPEG, "a.dat": JPEG, "notes": b"shopping list"})
    assert ids(tmp_path) == ["a.dat", "a.jpg", "picture"]


def test_r60_pictures_that_cannot_be_read_yet_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    raw = b"II*\0\x08\0\0\0"
    write(
        tmp_path,
        {
            "a.HEIC": HEIC,
            "b.dng": raw,
            "c.psd": b"8BPS",
            "d": HEIC,
            "e.CR2": b"?",
            "f.svg": b"<svg/>",
        },
    )
    write(tmp_path, {"song.m4a": b"\0\0\0\x14ftypM4A \0\0\0\0M4A ", "a.AAE": b"<xml>", "a.xmp": JPEG})
    for kind in ("HEIC", "RAW"):
        monkeypatch.setitem(PACKAGES, kind, OptionalPackage(f"reads-{kind}", "no_such_module", ""))
    found, skipped = find_pictures(tmp_path)
    assert not found and {s.reason for s in skipped} == {"format"}
    formats = {s.file: s.sentence.split(" in ")[1].split(" format")[0] for s in skipped}
    assert formats == {
        **{"a.HEIC": "HEIC", "b.dng": "RAW", "c.psd": "Photoshop", "d": "HEIC", "e.CR2": "RAW", "f.svg": "SVG"}
    }
    assert skipped[0] == Skipped(
        "a.HEIC",
        "format",
        "a.HEIC is in HEIC format, which needs the package reads-HEIC; run `pip install -e .` in the Boxfind folder.",
        len(HEIC),
        (tmp_path / "a.HEIC").stat().st_mtime,
    )


def test_r60_the_content_decides_for_a_wrong_suffix(tmp_path: Path):
    touch(tmp_path, "a.jpe", "b.MPO", "empty.heic")
    write(tmp_path, {"c.HEIC": JPEG, "d.psd": b"GIF89a", "e.nef": JPEG})
    found, skipped = find_pictures(tmp_path)
    assert [f.id for f in found] == ["a.jpe", "b.MPO", "c.HEIC", "d.psd", "e.nef", "empty.heic"] and not skipped


def test_r60_files_that_were_named_before_are_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, {"a.psd": b"8BPS", "b.psd": b"8BPS", "notes.txt": b"", "a.jpg": JPEG})
    scan = module.scan_gallery(tmp_path)
    (tmp_path / "b.psd").write_bytes(JPEG + bytes(9))
    opened, read = [], module._first_bytes
    monkeypatch.setattr(module, "_first_bytes", lambda path: opened.append(Path(path).name) or read(path))
    again = module.scan_gallery(tmp_path, known=scan.skipped)
    assert opened == ["b.psd"] and again.skipped == scan.skipped[:1]
    assert [f.id for f in again.found] == ["a.jpg", "b.psd"]


def test_r60_links_and_special_files_are_not_opened_to_find_out(tmp_path: Path):
    root = tmp_path / "gallery"
    touch(root, "a.jpg")
    (tmp_path / "outside").write_bytes(JPEG)
    for name in ("out", "out.heic"):
        (root / name).symlink_to(tmp_path / "outside")
    os.mkfifo(root / "pipe")
    os.mkfifo(root / "pipe.heic")
    (root / "gone").symlink_to("nowhere")
    (root / "gone.heic").symlink_to("nowhere")
    found, skipped = find_pictures(root)
    assert [f.id for f in found] == ["a.jpg"]
    assert {s.file: s.reason for s in skipped} == {
        **{"out.heic": "outside", "pipe.heic": "special", "gone.heic": "dangling"}
    }


def test_r17_names_of_every_kind(tmp_path: Path):
    composed, decomposed = "é.jpg", "e\u0301.jpg"
    names = [
        "😀.jpg",
        "line\nbreak.jpg",
        "-rf.jpg",
        "שלום.jpg",
        "=1+1.jpg",
        "x" * 251 + ".jpg",
        b"\xff\xfe.jpg",
        b"\xfe\xfe.jpg",
        composed,
        decomposed,
    ]
    touch(tmp_path, *names)
    found, skipped = find_pictures(tmp_path)
    assert len(found) == len(names) == len({f.id for f in found}) and not skipped
    for picture in found:
        assert unicodedata.is_normalized("NFC", picture.id)
        picture.id.encode()  # no lone surrogates
        assert picture.path.exists()  # the raw path still opens the file
    assert {"é.jpg", "é.jpg~", "😀.jpg", "line\nbreak.jpg", "-rf.jpg"} <= {f.id for f in found}


def test_r17_a_twin_that_only_looks_the_same_does_not_take_the_id(tmp_path: Path):
    decomposed, composed = "e\u0301.jpg", "é.jpg"
    for first, second in ((decomposed, composed), (composed, decomposed)):
        root = tmp_path / first
        touch(root, first)
        assert ids(root) == ["é.jpg"]
        touch(root, second)
        assert {f.id: f.path.name for f in find_pictures(root)[0]} == {"é.jpg": composed, "é.jpg~": decomposed}


def test_r17_ids_of_what_is_left_out_are_distinct_too(tmp_path: Path):
    touch(tmp_path, "é.jpg")
    (tmp_path / "e\u0301.jpg").symlink_to("gone.jpg")
    found, skipped = find_pictures(tmp_path)
    assert [f.id for f in found] == ["é.jpg"] and [s.file for s in skipped] == ["é.jpg~"]


def test_r18_the_same_name_and_bytes_in_other_folders_are_other_pictures(tmp_path: Path):
    touch(tmp_path, "a/same.jpg", "b/same.jpg", "same.jpg")
    assert ids(tmp_path) == ["a/same.jpg", "b/same.jpg", "same.jpg"]


def test_r19_links_are_followed_only_to_files_within_the_gallery(tmp_path: Path):
    root, outside = tmp_path / "gallery", tmp_path / "outside"
    touch(root, "inside.jpg", "folder/a.jpg")
    touch(outside, "secret.jpg")
    (root / "hard.jpg").hardlink_to(root / "inside.jpg")
    (root / "twin.jpg").symlink_to(root / "inside.jpg")
    (root / "out.jpg").symlink_to(outside / "secret.jpg")
    (root / "nothing.jpg").symlink_to(root / "gone.jpg")
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    (root / "one.jpg").symlink_to(root / "two.jpg")
    (root / "two.jpg").symlink_to(root / "one.jpg")
    (root / "above").symlink_to(tmp_path, target_is_directory=True)
    (root / "away").symlink_to(outside, target_is_directory=True)
    (root / "twins").symlink_to(root / "folder", target_is_directory=True)
    (root / "folder" / "up").symlink_to(root, target_is_directory=True)
    (root / "folder" / "self").symlink_to(".", target_is_directory=True)
    found, skipped = find_pictures(root)
    assert [f.id for f in found] == ["folder/a.jpg", "hard.jpg", "inside.jpg", "twin.jpg"]
    assert {s.file: s.reason for s in skipped} == {
        "above": "outside",
        "away": "outside",
        "folder/self": "link",
        "folder/up": "link",
        "loop.jpg": "dangling",
        "nothing.jpg": "dangling",
        "one.jpg": "dangling",
        "out.jpg": "outside",
        "twins": "link",
        "two.jpg": "dangling",
    }
    assert all(Path(s.file).name in s.sentence and s.sentence.endswith(".") for s in skipped)


def test_r19_a_junction_is_a_link_to_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    touch(tmp_path, "a.jpg", "mount/b.jpg")
    mount = (tmp_path / "mount").stat().st_ino
    monkeypatch.setattr(module, "is_junction", lambda status: status.st_ino == mount)
    found, skipped = find_pictures(tmp_path)
    assert [file.id for file in found] == ["a.jpg"]
    assert [(file.file, file.reason) for file in skipped] == [("mount", "link")]


def test_r19_junctions_are_recognised_by_their_reparse_tag(tmp_path: Path):
    assert is_junction(SimpleNamespace(st_reparse_tag=0xA0000003))
    assert not is_junction(SimpleNamespace(st_reparse_tag=0)) and not is_junction(tmp_path.lstat())


def test_r19_what_is_no_file_is_skipped_and_never_waited_for(tmp_path: Path):
    touch(tmp_path, "a.jpg", "folder.jpg/inside.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "to-pipe.jpg").symlink_to("pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
    found, skipped = find_pictures(tmp_path)
    assert [f.id for f in found] == ["a.jpg", "folder.jpg/inside.png"]
    assert {s.file: s.reason for s in skipped} == {
        "device.jpg": "outside",
        "pipe.jpg": "special",
        "socket.jpg": "special",
        "to-pipe.jpg": "special",
    }


def test_r19_what_may_not_be_read_is_said(open_folder: Path):
    touch(open_folder, "a.jpg", "closed/b.jpg", "blind/c.jpg", "secret.jpg")
    for name, mode in (("closed", 0), ("blind", 0o444), ("secret.jpg", 0)):
        (open_folder / name).chmod(mode)
    with without_rights():
        found, skipped = find_pictures(open_folder)
        assert [f.id for f in found] == ["a.jpg", "secret.jpg"]
        assert skipped == [
            Skipped("blind/c.jpg", "permission", "c.jpg may not be read; change its permissions."),
            Skipped("closed", "permission", "closed may not be read; change its permissions."),
        ]
        with pytest.raises(UnreadableImage) as caught:  # only opening it shows the missing permission
            load_image(found[1].path)
        assert caught.value.reason == "permission"


def test_r19_a_gallery_that_may_not_be_read(open_folder: Path):
    (open_folder / "gallery").mkdir(mode=0)
    with without_rights(), pytest.raises(GalleryProblem, match=r"cannot be opened: Permission denied\.$"):
        find_pictures(open_folder / "gallery")


def test_two_scans_give_the_same_ids(tmp_path: Path):
    touch(tmp_path, "é.jpg", "e\u0301.jpg", b"\xff.jpg", b"\xfe.jpg", "a/b.jpg")
    assert find_pictures(tmp_path) == find_pictures(tmp_path)


def test_a_gallery_may_itself_be_a_link(tmp_path: Path):
    touch(tmp_path / "real", "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert ids(tmp_path / "link") == ["a.jpg"]


def test_a_missing_gallery_folder_is_refused(tmp_path: Path):
    touch(tmp_path, "file.jpg")
    for path in (tmp_path / "gone", tmp_path / "file.jpg"):
        with pytest.raises(GalleryProblem, match=r"The gallery folder .* does not exist"):
            find_pictures(path)
    assert find_pictures(tmp_path)[1] == []


def test_the_film_of_a_live_photo_and_the_raw_file_beside_a_jpeg_are_left_out(tmp_path: Path):
    touch(tmp_path, "a.HEIC", "a.MOV", "b.mov", "c.JPG", "c.NEF", "d.CR2", "e.jpg", "e.mov", "below/a.mov")
    touch(tmp_path, "f.MOV", "f.heic")
    scan = module.scan_gallery(tmp_path)
    assert sorted((entry.path, entry.why) for entry in scan.left_out) == [
        (b"a.MOV", "live"),
        (b"c.NEF", "raw"),
        (b"f.MOV", "live"),
    ]
    assert [file.id for file in scan.found] == [
        *("a.HEIC", "b.mov", "below/a.mov", "c.JPG", "d.CR2", "e.jpg", "e.mov", "f.heic")
    ]
    assert left_out_sentence(scan.left_out) == (
        "Left out: 2 films of Live Photos (a.MOV, f.MOV), 1 raw file beside a JPEG of the same name (c.NEF)."
    )
    ignoring = module.scan_gallery(tmp_path, GalleryRules(ignore=("*.JPG",)))
    assert "c.NEF" in [file.id for file in ignoring.found]


def test_r17_a_file_that_is_called_like_a_page_of_another_one_has_an_id_of_its_own(tmp_path: Path):
    touch(tmp_path, "a.pdf", "a.pdf#page=3", "b.pdf#page=3", "c#t=1.00")
    found = {file.id: file.path.name for file in find_pictures(tmp_path)[0]}
    assert found == {"a.pdf": "a.pdf"}  # the others are empty, and their suffix tells nothing
    write(tmp_path, {"a.pdf#page=3": JPEG, "b.pdf#page=3": JPEG})
    found = {file.id: file.path.name for file in find_pictures(tmp_path)[0]}
    assert found == {"a.pdf": "a.pdf", "a.pdf#page=3~": "a.pdf#page=3", "b.pdf#page=3": "b.pdf#page=3"}
