"""Crops contain the matched pixels and no metadata."""

import hashlib
import io
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind.export.crops import LONGEST, crops_zip
from boxfind.export.search_result import SearchResult
from boxfind.export.table import csv_table
from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.images.decode import load_image
from retrieval.types import Box, Region
from tests.boxfind.export.conftest import FOLDER, NAMES, SIZE
from tests.boxfind.export.hostile import HOSTILE
from tests.tiny import draw_picture


def opened(answer: SearchResult) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(crops_zip(answer))) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}


def moved(answer: SearchResult, tmp_path: Path) -> SearchResult:
    """The same result with a writable copy of the gallery folder."""
    folder = shutil.copytree(answer.gallery.manifest.gallery, tmp_path / FOLDER)
    manifest = answer.gallery.manifest.model_copy(update={"gallery": str(folder)})
    return replace(answer, gallery=replace(answer.gallery, manifest=manifest))


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(jpeg))).astype(int)


def test_every_crop_is_the_matched_region(answer: SearchResult):
    files = opened(answer)
    assert len(files) == 7 and files["hits.csv"] == csv_table(answer)
    for name, hit in zip(files, answer.hits, strict=False):
        box = hit.region.box
        expected = load_image(answer.gallery.file(hit.image))[box.y0 : box.y1, box.x0 : box.x1].astype(int)
        assert name.endswith(".jpg") and pixels(files[name]).shape == expected.shape
        assert np.abs(pixels(files[name]) - expected).mean() < 8


def test_crops_have_no_metadata(answer: SearchResult):
    with Pillow.open(answer.gallery.file("plain.jpg")) as original:
        assert original.getexif()[0x010F] == "Camera of a witness"
    for name, data in opened(answer).items():
        assert b"witness" not in data and b"Exif" not in data
        if name.endswith(".jpg"):
            crop = Pillow.open(io.BytesIO(data))
            assert not crop.getexif() and crop.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_large_crops_are_downscaled(answer: SearchResult, tmp_path: Path):
    picture = np.tile(draw_picture(1, 600, 450), (6, 6, 1))  # 3600 x 2700
    Pillow.fromarray(picture).save(tmp_path / "large.jpg", quality=95)
    digest = hashlib.sha256((tmp_path / "large.jpg").read_bytes()).hexdigest()
    stand_in: Any = SimpleNamespace(
        entry=lambda name: SimpleNamespace(
            image=name, path=b"large.jpg", width=3600, height=2700, sha256=digest, place="", bytes=0, file_sha256=""
        ),
        file=lambda _: tmp_path / "large.jpg",
        manifest=SimpleNamespace(gallery=str(tmp_path), more_folders=()),
    )
    gallery: Gallery = stand_in
    boxes = (Box(0, 0, 3600, 2700), Box(3600 - 500, 2700 - 300, 3600, 2700), Box(7, 9, 8, 10))
    hits = tuple(replace(answer.hits[0], image="large.jpg", region=Region(box, "grid")) for box in boxes)
    whole, part, point = (
        pixels(data) for data in list(opened(replace(answer, hits=hits, gallery=gallery)).values())[:3]
    )
    assert whole.shape == (LONGEST * 3 // 4, LONGEST, 3)
    assert part.shape == (300, 500, 3) and np.abs(part - picture[-300:, -500:]).mean() < 8
    assert point.shape == (1, 1, 3)


def test_changed_or_missing_originals_are_cropped_from_the_preview_with_a_note(answer: SearchResult, tmp_path: Path):
    changed = moved(answer, tmp_path)
    changed.gallery.file("plain.jpg").unlink()
    Pillow.fromarray(draw_picture(99, *SIZE)).save(changed.gallery.file(NAMES[1]))
    changed.gallery.file(NAMES[2]).write_bytes(b"")
    before, files = opened(answer), opened(changed)
    notes = files["notes.txt"].decode("utf-8-sig")
    assert len(notes.splitlines()) == 3 and str(tmp_path) not in notes
    assert "plain.jpg cannot be opened any more" in notes and "has changed since it was indexed;" in notes
    for name, hit in zip(before, answer.hits, strict=False):
        if hit.image in NAMES[:3]:
            assert name in notes
            coarse, size = pixels(files[name]), pixels(before[name]).shape
            assert max(coarse.shape[:2]) <= 320
            fine = np.asarray(Pillow.open(io.BytesIO(before[name])).resize(coarse.shape[1::-1])).astype(int)
            assert coarse.shape[0] / coarse.shape[1] == pytest.approx(size[0] / size[1], rel=0.1)
            assert np.abs(coarse - fine).mean() < 25
        else:
            assert files[name] == before[name]


def test_a_crop_without_original_and_preview_is_left_out(answer: SearchResult, odd_answer):
    def gone(_: str) -> bytes:
        raise IndexProblem("The index has been rebuilt since.")

    for preview in (gone, lambda _: b"", lambda _: b"\xff\xd8\xff\xe0 cut off"):
        odd = odd_answer("title", "lost.jpg")
        odd.gallery.thumbnail = preview
        files = opened(odd)
        assert files.keys() == {"hits.csv", "notes.txt"} and b"01-lost.jpg: left out" in files["notes.txt"]


@pytest.mark.parametrize("text", HOSTILE)
def test_file_names_in_the_archive_are_safe(odd_answer, text, tmp_path: Path):
    odd = odd_answer(text, text)
    files = opened(replace(odd, hits=odd.hits * 3))
    assert len(files) == 5  # the same picture three times has three names
    assert all(name.isprintable() and not set(name) & set("/\\:") and len(name) <= 80 for name in files)
    with ZipFile(io.BytesIO(crops_zip(odd))) as archive:
        archive.extractall(tmp_path / "into")
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path / "into"}


def test_names_stay_in_order_when_there_are_many(odd_answer):
    odd = odd_answer("", "x.jpg")
    names = [name for name in opened(replace(odd, hits=odd.hits * 101)) if name.endswith(".jpg")]
    assert names[0] == "001-x.jpg" and names == sorted(names) and len(set(names)) == 101
