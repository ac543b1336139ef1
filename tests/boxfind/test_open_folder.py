"""A folder is opened by a program of the system, never through a shell."""

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from boxfind import open_folder as module
from boxfind.open_folder import can_open_folders, open_folder


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    run = MagicMock()
    monkeypatch.setattr(module.subprocess, "run", run)
    monkeypatch.setattr(module.threading, "Thread", lambda target, args, **_: MagicMock(start=lambda: target(*args)))
    return run


@pytest.mark.parametrize("name", ["holiday", "-a; rm *", "$(id) `id` 'x' \"y\" & z"])
def test_the_folder_is_one_absolute_argument(ran: MagicMock, tmp_path: Path, monkeypatch: Any, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module.sys, "platform", "linux")
    open_folder(Path(name, "cup.jpg"))
    (command,), options = ran.call_args
    assert command == ["xdg-open", str(tmp_path / name)] and not options.get("shell")


def test_a_folder_that_is_a_program_to_the_mac_is_shown_and_not_run(ran: MagicMock, monkeypatch: Any) -> None:
    monkeypatch.setattr(module.sys, "platform", "darwin")
    open_folder(Path("/pictures/Holiday.app/cup.jpg"))
    assert ran.call_args.args == (["open", "-R", str(Path("/pictures/Holiday.app/cup.jpg"))],)


def test_windows_opens_the_folder_itself_whatever_its_name(ran: MagicMock, monkeypatch: Any) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(module.sys, "platform", "win32")
    monkeypatch.setattr(module.os, "startfile", opened.append, raising=False)
    open_folder(Path("/pictures/a,b/cup.jpg"))
    assert opened == [Path("/pictures/a,b")] and not ran.called


def test_a_file_manager_that_does_not_start_is_no_error(ran: MagicMock, tmp_path: Path) -> None:
    ran.side_effect = FileNotFoundError(2, "No such file or directory")
    open_folder(tmp_path / "cup.jpg")
    assert ran.called


@pytest.mark.parametrize(
    ("platform", "display", "program", "can"),
    [
        ("linux", ":0", "/usr/bin/xdg-open", True),
        ("linux", "", "/usr/bin/xdg-open", False),
        ("linux", ":0", None, False),
        ("darwin", "", "/usr/bin/open", True),
    ],
)
def test_folders_open_only_where_there_is_a_file_manager(
    platform: str, display: str, program: str | None, can: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.sys, "platform", platform)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(module.shutil, "which", lambda _: program)
    assert can_open_folders() == can
