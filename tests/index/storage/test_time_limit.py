"""Work that takes too long is left alone."""

import threading
import time
from pathlib import Path

import pytest

from index.storage.folder_scan import scan_gallery
from index.storage.time_limit import answers, result_within
from retrieval.errors import GalleryProblem
from tests.dead_drive import DeadDrive


def test_work_that_fails_or_takes_long_has_another_result() -> None:
    never = threading.Event()
    assert result_within(5, lambda: "found", "") == "found"
    assert result_within(5, lambda: Path("/nowhere/at/all").stat().st_size, -1) == -1
    assert result_within(0.05, lambda: never.wait(60), False) is False
    with pytest.raises(ZeroDivisionError):
        result_within(5, lambda: 1 // 0, -1)
    never.set()


def test_a_scan_of_a_drive_that_does_not_answer_is_refused(gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with monkeypatch.context() as patch:
        drive = DeadDrive(gallery, patch)
        assert not answers(gallery) and answers(gallery.parent) and answers(gallery.parent / "missing")
        with pytest.raises(GalleryProblem, match="does not answer"):
            scan_gallery(gallery)
        assert time.monotonic() - began < 30
        drive.connected.set()
        assert len(scan_gallery(gallery).found) == 8
