"""Files are synced and replaced on POSIX and Windows."""

import os

import pytest

from index.storage import file_system
from index.storage.file_system import TRIES, replace_file, sync


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(file_system.sys, "platform", "win32")
    monkeypatch.setattr(file_system, "PAUSE", 0)


@pytest.fixture
def opened(monkeypatch):
    """File name -> mode it was opened with."""
    flags = {}

    def open_(path, how):
        flags[path.name] = how
        return really(path, how)

    really = os.open
    monkeypatch.setattr(file_system.os, "open", open_)
    return flags


@pytest.fixture
def refusals(monkeypatch):
    """The remaining refusals to replace a file that is being read."""
    left = [2]

    def replace(part, target):
        left[0] -= 1
        if left[0] >= 0:
            raise PermissionError(13, "The process cannot access the file")
        really(part, target)

    really = os.replace
    monkeypatch.setattr(file_system.os, "replace", replace)
    return left


@pytest.fixture
def part(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "part").write_text("new")
    return tmp_path / "part"


def test_files_and_folders_are_synced(part, opened):
    sync(part)
    sync(part.parent)
    assert opened == {part.name: os.O_RDONLY, part.parent.name: os.O_RDONLY}


@pytest.mark.usefixtures("windows")
def test_windows_syncs_writable_handles_and_no_folders(part, opened):
    sync(part)
    sync(part.parent)
    assert opened == {part.name: os.O_RDWR}


@pytest.mark.usefixtures("windows", "refusals")
def test_windows_replaces_a_file_when_its_readers_are_done(part):
    replace_file(part, part.with_name("target"))
    assert part.with_name("target").read_text() == "new" and not part.exists()


@pytest.mark.usefixtures("windows")
def test_windows_gives_up_after_all_tries(part, refusals):
    refusals[0] = TRIES + 1
    with pytest.raises(PermissionError):
        replace_file(part, part.with_name("target"))


def test_replacing_a_file_is_not_retried_on_posix(part, refusals):
    with pytest.raises(PermissionError):
        replace_file(part, part.with_name("target"))
    assert refusals == [1]
