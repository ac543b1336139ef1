"""ZIP files of originals contain the unchanged files, within limits."""

import io
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import pytest

from boxfind.export.originals import MOST_BYTES, PART_BYTES, original_name, originals_zip, parts, total_bytes
from boxfind.export.search_result import SearchResult
from boxfind.ui.original_file import facts
from index.gallery import Gallery
from index.storage.tables import ImageEntry
from tests.boxfind.export.conftest import FOLDER, NAMES


def opened(gallery: Gallery, images: list[str]) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(originals_zip(gallery, images))) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}


def test_originals_are_the_unchanged_files_in_their_folders(answer: SearchResult):
    files = opened(answer.gallery, list(NAMES))
    assert list(files.values()) == [answer.gallery.file(name).read_bytes() for name in NAMES]
    assert b"witness" in files["plain.jpg"] and "below/😀 שלום.png" in files
    assert total_bytes(answer.gallery, NAMES) == sum(map(len, files.values()))
    assert all(name.isprintable() and not set(name) & set('\\:*?"<>|') for name in files)


def test_changed_and_missing_files_are_left_out_with_a_note(answer: SearchResult, tmp_path: Path):
    folder = shutil.copytree(answer.gallery.manifest.gallery, tmp_path / FOLDER)
    manifest = answer.gallery.manifest.model_copy(update={"gallery": str(folder)})
    gallery = replace(answer.gallery, manifest=manifest)
    (folder / "plain.jpg").unlink()
    (folder / NAMES[3]).write_bytes(b"another file")
    files = opened(gallery, ["plain.jpg", NAMES[3], NAMES[5]])
    notes = files.pop("notes.txt").decode("utf-8-sig")
    assert list(files) == ["_CON.jpg"] and str(tmp_path) not in notes
    assert "plain.jpg: left out. plain.jpg cannot be opened any more" in notes and "has changed" in notes


def test_names_are_unique_and_stay_below_the_folder_of_the_zip(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("boxfind.export.originals.read_original", lambda _, image: image.encode())
    gallery: Any = SimpleNamespace(entry=lambda _: SimpleNamespace(mtime=-1e9))
    images = ["a/x.jpg", "A/X.jpg", "a/x.png", "a:x.jpg", "a?x.jpg", "../../etc/x.jpg", "notes.txt"]
    files = opened(gallery, images)
    assert list(files.values()) == [image.encode() for image in images]
    assert list(files)[:5] == ["a/x.jpg", "A/X-2.jpg", "a/x.png", "a-x.jpg", "a-x-2.jpg"]
    assert not any(".." in name or name.startswith("/") or name == "notes.txt" for name in files)


def test_parts_keep_the_order_and_the_limit():
    sizes = {"a": 40, "b": 50, "c": 30, "d": 200, "e": 100}
    gallery: Any = SimpleNamespace(entry=lambda image: SimpleNamespace(bytes=sizes[image], place=""))
    assert parts(gallery, list("abcde"), most=100) == [["a", "b"], ["c"], ["d"], ["e"]]
    assert parts(gallery, [], most=100) == []


def test_a_part_and_an_export_fit_in_memory():
    assert PART_BYTES <= 100_000_000 and MOST_BYTES <= 500_000_000


@pytest.mark.parametrize("mtime", [1e12, -1e12, 1e30, float("nan")])
def test_a_date_outside_the_calendar_is_no_error(mtime: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("boxfind.export.originals.read_original", lambda _, image: image.encode())
    gallery: Any = SimpleNamespace(entry=lambda _: SimpleNamespace(mtime=mtime))
    with ZipFile(io.BytesIO(originals_zip(gallery, ["x.jpg"]))) as archive:
        assert archive.getinfo("x.jpg").date_time == (1980, 1, 1, 0, 0, 0)
    assert "kB, unknown date, in" in facts(ImageEntry("x.jpg", b"x.jpg", 1, 1, 1, mtime, "0" * 64))


def test_the_name_of_an_original_has_no_folder():
    assert original_name("below/😀 שלום.png") == "😀 שלום.png" and original_name("CON.jpg") == "_CON.jpg"
