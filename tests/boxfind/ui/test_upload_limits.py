"""Streamlit keeps a limited number of uploads."""

from collections.abc import Iterator

import pytest
from starlette.exceptions import HTTPException
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from boxfind.ui import upload_limits
from boxfind.ui.upload_limits import limit_uploads


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryUploadedFileManager]:
    monkeypatch.setattr(upload_limits, "SESSION_FILES", 3)
    monkeypatch.setattr(upload_limits, "SESSION_BYTES", 100)
    monkeypatch.setattr(upload_limits, "ALL_BYTES", 250)
    limit_uploads()
    yield MemoryUploadedFileManager("/upload")


def put(manager: MemoryUploadedFileManager, session: str, key: str, size: int) -> int:
    """The status of an upload."""
    try:
        manager.add_file(session, UploadedFileRec(key, f"{key}.png", "image/png", b"x" * size))
    except HTTPException as refused:
        return refused.status_code
    return 204


def held(manager: MemoryUploadedFileManager) -> dict[str, int]:
    return {name: sum(len(file.data) for file in files.values()) for name, files in manager.file_storage.items()}


def test_r59_a_visit_may_upload_a_limited_number_of_files(manager: MemoryUploadedFileManager) -> None:
    assert [put(manager, "one", f"made up {number}", 1) for number in range(5)] == [204, 204, 204, 413, 413]
    assert put(manager, "one", "made up 1", 2) == 204  # takes the place of the one before
    manager.remove_file("one", "made up 0")
    assert put(manager, "one", "another", 1) == 204
    assert held(manager) == {"one": 4}


def test_r59_a_visit_may_upload_a_limited_number_of_bytes(manager: MemoryUploadedFileManager) -> None:
    assert [put(manager, "one", "a", 60), put(manager, "one", "b", 60), put(manager, "one", "c", 40)] == [204, 413, 204]
    assert put(manager, "two", "a", 60) == 204
    manager.remove_session_files("one")
    assert put(manager, "one", "b", 60) == 204 and held(manager) == {"one": 60, "two": 60}


def test_r59_the_visit_that_holds_most_gives_way(manager: MemoryUploadedFileManager) -> None:
    for session, size in (("one", 90), ("two", 100), ("three", 40)):
        assert put(manager, session, "a", size) == 204
    assert put(manager, "four", "a", 60) == 204
    assert held(manager) == {"one": 90, "three": 40, "four": 60}
    assert put(manager, "five", "a", 80) == 204
    assert held(manager) == {"three": 40, "four": 60, "five": 80}


def test_r59_nobody_else_gives_way_to_the_visit_that_holds_most(manager: MemoryUploadedFileManager) -> None:
    for session in ("one", "two"):
        assert put(manager, session, "a", 95) == 204
    assert put(manager, "three", "a", 99) == 507
    assert held(manager) == {"one": 95, "two": 95}
