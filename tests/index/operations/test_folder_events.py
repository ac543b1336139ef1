"""Changes of a folder that may matter are noticed, reported by the system or found by scans."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from index.operations import folder_events as module
from index.operations.folder_events import LIMIT, NETWORK_DRIVE, FolderEvents, FolderScans, WatchLost, open_source
from index.storage.gallery_rules import DEFAULT_RULES, GalleryRules
from retrieval.errors import GalleryProblem
from tests.tiny import eight_pictures

SOON = 20.0
"""Seconds in which a report arrives, also on a busy machine."""
Start = Callable[..., FolderEvents]


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def start(tmp_path: Path, stop: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Watch a folder, with reports after 0.1 seconds."""
    monkeypatch.setattr(module, "STEP", 100)
    opened: list[FolderEvents] = []

    def started(folder: Path, rules: GalleryRules = DEFAULT_RULES) -> FolderEvents:
        opened.append(FolderEvents(folder, rules, stop))
        return opened[-1]

    yield started
    for source in opened:
        source.close()


def noticed(source: FolderEvents, wanted: str) -> set[str]:
    """All names until the wanted one has come."""
    names: set[str] = set()
    while wanted not in names:
        new = source.wait(SOON)
        assert new, f"{wanted} was not noticed"
        names |= new
    return names


def test_pictures_and_folders_are_noticed_and_no_other_files(gallery: Path, start: Start):
    rules = GalleryRules(ignore=("drafts/", "*.gif"), own_folders=frozenset({(gallery / "index").resolve()}))
    for folder in ("index", "drafts", "@eaDir", ".git"):
        (gallery / folder).mkdir()
    source = start(gallery, rules)
    for name in (".hidden.jpg", ".git/a.jpg", "index/a.jpg", "drafts/a.jpg", "@eaDir/a.jpg", "a.gif", "notes.txt"):
        (gallery / name).touch()
    for name in ("half.jpg.part", "Thumbs.db", "~lock.tmp", "a.png~"):
        (gallery / name).touch()
    (gallery / "index" / "CURRENT").touch()
    (gallery / "1.png").unlink()
    (gallery / "below" / "6.png").rename(gallery / "below" / "7 new.png")
    shutil.copytree(gallery / "below", gallery / "folder")
    (gallery / "last.jpg").touch()
    names = noticed(source, "last.jpg")
    assert {name for name in names if not name.startswith("folder")} == {
        "1.png",
        "below/6.png",
        "below/7 new.png",
        "last.jpg",
    }
    assert "folder" in names


@pytest.fixture
def several(tmp_path: Path) -> GalleryRules:
    """Two more folders of the same name, and a pattern."""
    folders = tuple(eight_pictures(tmp_path / above / "more").resolve() for above in ("x", "y"))
    return GalleryRules(ignore=("drafts/",), more_folders=folders)


def test_changes_in_all_folders_of_a_gallery_are_noticed(gallery: Path, several: GalleryRules, start: Start):
    more = several.more_folders
    (more[0] / "drafts").mkdir()
    source = start(gallery, several)
    (more[0] / "drafts" / "a.jpg").touch()
    (more[0] / "below" / "a.jpg").touch()
    (more[1] / "1.png").unlink()
    (more[1] / "new").mkdir()
    (gallery / "last.jpg").touch()
    wanted = {"more/below/a.jpg", "more (2)/1.png", "more (2)/new", "last.jpg"}
    names: set[str] = set()
    for _ in wanted:
        names |= source.wait(0.0 if names == wanted else SOON)
    assert names == wanted
    source.wait(0.0)  # watches the new folder
    (more[1] / "new" / "a.jpg").touch()
    noticed(source, "more (2)/new/a.jpg")
    shutil.rmtree(more[0])
    noticed(source, "more/.")
    with pytest.raises(GalleryProblem, match=str(more[0])):
        start(gallery, several)


def test_all_folders_are_compared_if_one_has_to_be(gallery: Path, several: GalleryRules, stop, monkeypatch):
    other = several.more_folders[1]
    monkeypatch.setattr(module, "reports_changes", lambda folder: folder != other)
    source = open_source(gallery, several, stop, 0.0)
    assert source.why_compared == NETWORK_DRIVE and source.wait(0.0) == set()
    (gallery / "1.png").unlink()
    (other / "new.png").write_bytes(b"new")
    assert source.wait(0.0) == {"1.png", "more (2)/new.png"}
    shutil.rmtree(other)
    with pytest.raises(GalleryProblem):
        source.wait(0.0)


@pytest.mark.parametrize("name", [".boxfindignore", ".nomedia"])
def test_files_with_rules_are_noticed(gallery: Path, start: Start, name: str):
    source = start(gallery)
    (gallery / "below" / name).touch()
    assert noticed(source, f"below/{name}") == {f"below/{name}"}


def test_pictures_in_a_new_folder_are_noticed(gallery: Path, start: Start):
    source = start(gallery)
    (gallery / "new" / "deep").mkdir(parents=True)
    noticed(source, "new")
    source.wait(0.0)  # watches the new folders
    (gallery / "new" / "deep" / "a.jpg").touch()
    noticed(source, "new/deep/a.jpg")


def test_r94_links_are_not_followed(gallery: Path, tmp_path: Path, start: Start):
    (tmp_path / "huge").mkdir()
    (gallery / "link").symlink_to(tmp_path / "huge")
    source = start(gallery)
    (tmp_path / "huge" / "a.jpg").touch()
    (gallery / "last.jpg").touch()
    assert noticed(source, "last.jpg") == {"last.jpg"}


def test_waiting_ends_at_once_when_it_is_stopped(gallery: Path, start: Start, stop: threading.Event):
    source = start(gallery)
    stop.set()
    assert source.wait(1e6) == set()


def test_a_folder_that_is_gone(gallery: Path, start: Start, stop: threading.Event):
    source = start(gallery)
    shutil.rmtree(gallery)
    assert noticed(source, ".")
    with pytest.raises(GalleryProblem):
        FolderEvents(gallery / "gone", DEFAULT_RULES, stop)


def test_r94_without_reports_the_folder_is_compared(gallery: Path, stop: threading.Event, monkeypatch):
    def refuse(*_: object, **__: object) -> Iterator[object]:
        raise OSError('OS file watch limit reached. about ["/pictures"]')
        yield

    monkeypatch.setattr(module, "watch", refuse)
    with pytest.raises(WatchLost):
        FolderEvents(gallery, DEFAULT_RULES, stop)
    source = open_source(gallery, DEFAULT_RULES, stop, 300.0)
    assert isinstance(source, FolderScans) and (source.idle, source.why_compared) == (300.0, LIMIT)


LIMITED = """
import sys, threading
from pathlib import Path
from index.operations.folder_events import WatchLost, open_source
from index.storage.gallery_rules import DEFAULT_RULES

root = Path(sys.argv[1])
source = open_source(root, DEFAULT_RULES, threading.Event(), 300.0)
assert not source.why_compared
for number in range(20):
    (root / f"folder {number}").mkdir()
assert source.wait(20.0)
try:
    source.wait(20.0)
except WatchLost:
    print(open_source(root, DEFAULT_RULES, threading.Event(), 300.0).why_compared)
"""
"""Waits for changes of a folder, to which twenty are added."""


def test_r94_the_limit_of_the_system(gallery: Path):
    """In a user namespace of its own, whose limit is ten folders."""
    limited = "echo 10 >/proc/sys/user/max_inotify_watches && echo limited && exec "
    namespace = ["unshare", "--user", "--map-root-user", "sh", "-c"]
    try:
        subprocess.run([*namespace, f"{limited} true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system gives no user namespace")
    command = [*namespace, f'{limited} "$@"', "sh", sys.executable, "-c", LIMITED, str(gallery)]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert found.stdout.splitlines() == ["limited", LIMIT]


def test_r94_a_folder_that_may_not_be_read_is_passed_over(gallery: Path, start: Start):
    (gallery / "closed").mkdir(mode=0)
    source = start(gallery)
    (gallery / "last.jpg").touch()
    assert noticed(source, "last.jpg") == {"last.jpg"}


def test_r94_a_network_drive_is_compared(gallery: Path, stop: threading.Event, monkeypatch):
    monkeypatch.setattr(module, "reports_changes", lambda folder: False)
    assert open_source(gallery, DEFAULT_RULES, stop, 300.0).why_compared == NETWORK_DRIVE


def test_scans_find_what_is_new_changed_and_gone(gallery: Path, stop: threading.Event):
    source = FolderScans(gallery, GalleryRules(ignore=("*.gif",)), stop, 300.0, "")
    assert source.wait(0.0) == set()
    (gallery / "new.png").write_bytes(b"new")
    (gallery / "new.gif").write_bytes(b"new")
    (gallery / "1.png").unlink()
    (gallery / "2.png").write_bytes(b"changed")
    assert source.wait(0.0) == {"new.png", "1.png", "2.png"}
    assert source.wait(0.0) == set()
    shutil.rmtree(gallery)
    with pytest.raises(GalleryProblem):
        source.wait(0.0)


def test_scans_end_when_they_are_stopped(gallery: Path, stop: threading.Event):
    source = FolderScans(gallery, DEFAULT_RULES, stop, 300.0, "")
    stop.set()
    (gallery / "1.png").unlink()
    assert source.wait(300.0) == set()
