"""After a build its pictures are read; reading can be interrupted, stopped and resumed at any time."""

import hashlib
import shutil
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from index.building import ordered_results, reading_order
from index.building import read_text as module
from index.building.decode_tasks import IndexedFile, ReadText
from index.building.jobs import building
from index.building.read_text import LOCK, TextProgress, is_reading, read_text, stop_reading, text_progress
from index.gallery import open_gallery
from index.storage.picture_contents import contents_of
from index.storage.recent_finds import note_finds
from index.storage.written_text import WrittenText
from retrieval.errors import BuildCancelled, UnreadableImage
from retrieval.networks.weights import file_sha256
from retrieval.types import Box, WrittenLine, quiet

WORDS = ("zero", "apple", "bridge", "candle", "donkey", "engine", "forest", "garden", "harbour")
WRITTEN = {f"{number}.png": word for number, word in enumerate(WORDS)}


@dataclass
class FakePool:
    """Reads a word in each picture; fails for some."""

    problems: dict[str, str] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    def read_text(self, file: IndexedFile, incomplete: bool = False) -> ReadText:
        path = file.path
        self.read.append(path.name)
        if path.name in self.problems:
            raise UnreadableImage(self.problems[path.name], "It cannot be read.")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return ReadText(sha256, [WrittenLine(WRITTEN.get(path.name, "other"), Box(1, 2, 30, 40), 0.9)])


@pytest.fixture(autouse=True)
def save_at_once(monkeypatch):
    monkeypatch.setattr(module, "SAVE_EVERY", 0.0)


def read(index: Path, pool, workers: int, progress) -> int:
    return read_text(index, lambda: nullcontext(pool), workers, progress)


def found(folder: Path, sought: str) -> list[str]:
    gallery = open_gallery(folder)
    return [gallery.name(image) for image in gallery.find_written([sought])]


def test_pictures_are_read_once(gallery: Path, build_index):
    folder, pool = build_index(gallery), FakePool()
    assert found(folder, "candle") == []
    said = []
    assert read(folder.parent, pool, 2, lambda *stage: said.append(stage)) == 8
    assert said == [("Reading what is written", done, 8) for done in range(1, 9)]
    assert found(folder, "candle") == ["3.png"]
    assert open_gallery(folder).written(open_gallery(folder).number("3.png"))[0].text == "candle"
    assert read(folder.parent, pool, 2, quiet) == 0
    assert len(pool.read) == 8
    assert read_text(folder.parent, lambda: pytest.fail("started"), 2, quiet) == 0
    assert text_progress(open_gallery(folder)) == TextProgress(8, 8)


def test_text_survives_updates_renames_and_rebuilds(gallery: Path, build_index):
    folder, pool = build_index(gallery), FakePool()
    read(folder.parent, pool, 1, quiet)
    (gallery / "3.png").rename(gallery / "below" / "renamed.png")
    folder = build_index(gallery, full=True)
    assert found(folder, "candle") == ["below/renamed.png"]
    assert read(folder.parent, pool, 1, quiet) == 0


def test_text_of_kept_generations_only_is_kept(gallery: Path, build_index):
    folder, pool = build_index(gallery), FakePool()
    read(folder.parent, pool, 1, quiet)
    text = WrittenText(folder.parent)
    for left in (8, 7):  # a rollback to the generation before finds all its text
        (gallery / "3.png").unlink(missing_ok=True)
        (gallery / "1.png").write_bytes((gallery / "1.png").read_bytes() + bytes(left))  # another file
        folder = build_index(gallery)
        read(folder.parent, pool, 1, quiet)
        assert len(text.contents()) == left + 1


def test_what_searches_find_is_read_next(gallery: Path, build_index, monkeypatch):
    monkeypatch.setattr(reading_order, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(ordered_results, "AHEAD", 0)
    folder, pool = build_index(gallery), FakePool()
    of = {name: int(contents_of([file_sha256(gallery / name)])[0]) for name in ("4.png", "5.png", "below/7.png")}
    note_finds(folder.parent, np.array([of["below/7.png"], 12345, of["5.png"]]))

    def find_another(_: str, done: int, total: int) -> None:
        if done == 2:
            note_finds(folder.parent, np.array([of["4.png"], of["below/7.png"]]))

    assert read(folder.parent, pool, 1, find_another) == 8
    assert pool.read[:2] == ["7.png", "5.png"] and "4.png" in pool.read[2:4] and len(set(pool.read)) == 8


def test_copies_are_read_once(gallery: Path, build_index):
    shutil.copy(gallery / "3.png", gallery / "copy.png")
    folder, pool = build_index(gallery), FakePool()
    assert read(folder.parent, pool, 1, quiet) == 8
    assert ["3.png", "copy.png"] in (found(folder, "candle"), found(folder, "other"))


def test_an_interrupted_pass_is_resumed(gallery: Path, build_index):
    folder, pool = build_index(gallery), FakePool()

    def interrupt(_: str, done: int, total: int) -> None:
        if done == 3:
            raise BuildCancelled("enough")

    with pytest.raises(BuildCancelled):
        read(folder.parent, pool, 1, interrupt)
    assert text_progress(open_gallery(folder)) == TextProgress(3, 8)
    assert read(folder.parent, pool, 1, quiet) == 5


def test_another_process_can_stop_it(gallery: Path, build_index):
    folder, pool = build_index(gallery), FakePool()
    assert not stop_reading(folder.parent) and not stop_reading(gallery / "missing")
    assert not (folder.parent / LOCK).exists() and not (gallery / "missing").exists()

    def stop(_: str, done: int, total: int) -> None:
        if done == 3:
            assert is_reading(folder.parent) and stop_reading(folder.parent)

    with pytest.raises(BuildCancelled, match="next update continues"):
        read(folder.parent, pool, 1, stop)
    assert not is_reading(folder.parent)
    assert read(folder.parent, pool, 1, quiet) == 5


def test_only_one_process_reads(gallery: Path, build_index, monkeypatch):
    monkeypatch.setattr(module, "LOCK_TIMEOUT", 0)
    folder, pool = build_index(gallery), FakePool()
    with FileLock(folder.parent / LOCK):
        assert is_reading(folder.parent)
        assert read(folder.parent, pool, 1, quiet) == 0
    assert not is_reading(folder.parent) and not pool.read


def test_pictures_that_cannot_be_read_hold_nothing_up(gallery: Path, build_index):
    folder = build_index(gallery)
    pool = FakePool({"0.png": "damaged", "1.png": "decoder_hang", "2.png": "missing", "5.png": "text"})
    with (gallery / "3.png").open("ab") as file:
        file.write(b"changed")
    assert read(folder.parent, pool, 1, quiet) == 5
    assert found(folder, "donkey") == ["4.png"] and found(folder, "zero") == []
    pool = FakePool()
    assert read(folder.parent, pool, 1, quiet) == 2
    assert sorted(pool.read) == ["2.png", "3.png", "5.png"]  # the others count as read


def test_a_build_goes_first(gallery: Path, build_index, draw, monkeypatch):
    folder, pool, said = build_index(gallery), FakePool(), []
    build = building(folder.parent)
    waited = []

    def progress(stage: str, done: int, total: int) -> None:
        said.append((stage, done))
        if (stage, done) == ("Reading what is written", 3):
            build.__enter__()

    def sleep(_: float) -> None:
        waited.append(len(pool.read))
        if len(waited) == 2:
            Pillow.fromarray(draw(99)).save(gallery / "new.png")
            build_index(gallery)
            build.__exit__(None, None, None)

    monkeypatch.setattr(module.time, "sleep", sleep)
    assert read(folder.parent, pool, 1, progress) == 9
    assert ("Waiting for the build", 0) in said
    assert said[-1] == ("Reading what is written", 9)


def test_a_real_picture_is_read(tmp_path: Path, build_index, pool):
    picture = Pillow.new("RGB", (3200, 2400), "navy")
    ImageDraw.Draw(picture).text((400, 900), "OPEN DAILY", "white", ImageFont.load_default(300))
    (tmp_path / "gallery").mkdir()
    picture.save(tmp_path / "gallery" / "sign.jpg")
    folder = build_index(tmp_path / "gallery")
    assert read(folder.parent, pool, 1, quiet) == 1
    ((match,),) = open_gallery(folder).find_written(["open daily"]).values()
    assert match.score == 1 and 300 < match.line.box.x0 < 500 and 1800 < match.line.box.x1 < 2900
