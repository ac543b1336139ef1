"""A folder is away when it is missing, empty or does not answer; asking never takes long."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.operations import away_check
from index.operations.away_check import forget_answers, is_away


@pytest.fixture(autouse=True)
def no_answers() -> Iterator[None]:
    forget_answers()
    yield
    forget_answers()


def test_a_missing_or_empty_folder_is_away_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(away_check, "LASTS", 0.0)
    folder = tmp_path / "drive"
    assert is_away(str(folder))
    folder.mkdir()
    (folder / ".Trash").touch()
    assert is_away(str(folder))
    (folder / "1.jpg").touch()
    assert not is_away(str(folder))
    folder.rename(tmp_path / "elsewhere")
    assert is_away(str(folder)) and is_away("with a \0") and not is_away(str(tmp_path / "elsewhere"))


def test_an_answer_holds_for_some_seconds(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    assert not is_away(str(tmp_path))
    (tmp_path / "1.jpg").unlink()
    assert not is_away(str(tmp_path))
    forget_answers()
    assert is_away(str(tmp_path))


def test_r95_a_folder_that_does_not_answer_is_away_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, asked = threading.Event(), []

    def slow(folder: Path) -> bool:
        asked.append(folder)
        answer.wait(60)
        return True

    monkeypatch.setattr(away_check, "has_files", slow)
    monkeypatch.setattr(away_check, "SECONDS", 0.2)
    began = time.monotonic()
    assert all(is_away("/net/dead") for _ in range(50))
    assert time.monotonic() - began < 5 and len(asked) == 1
    answer.set()
    for _ in range(500):
        if not is_away("/net/dead"):
            break
        time.sleep(0.01)
    assert not is_away("/net/dead") and len(asked) == 1
