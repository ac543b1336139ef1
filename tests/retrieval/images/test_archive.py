"""Pictures in comic books and other ZIP archives."""

import io
import time
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest

from retrieval.errors import UnreadableImage
from retrieval.images import archive as module
from retrieval.images.archive import ArchivePages
from retrieval.images.limits import SourceLimits
from tests.documents import archive, encoded

LIMITS = SourceLimits()


@pytest.fixture
def pages_of(tmp_path):
    def open_pages(data: bytes, limits: SourceLimits = LIMITS) -> ArchivePages:
        (tmp_path / "a.cbz").write_bytes(data)
        return ArchivePages(tmp_path / "a.cbz", "a.cbz", limits)

    return open_pages


def test_pictures_come_in_the_order_of_their_names_and_nothing_else_counts(draw, pages_of):
    files = {f"book/page{number}.png": encoded(draw(number), "PNG") for number in (10, 2, 1)}
    others = {
        "__MACOSX/book/page1.png": b"x",
        "book/.hidden.png": b"x",
        "ComicInfo.xml": b"<x/>",
        "inner.zip": archive(files),
        "folder.png/": b"",
    }
    with pages_of(archive(files | others)) as pages:
        assert pages.places == ["page=1", "page=2", "page=3"]
        for place, number in zip(pages.places, (1, 2, 10), strict=True):
            assert np.array_equal(pages.picture(place).image, draw(number))
        with pytest.raises(UnreadableImage, match="no picture at page=4"):
            pages.picture("page=4")


def test_r79_a_damaged_picture_of_an_archive_costs_only_itself(draw, pages_of):
    good = encoded(draw(1), "PNG")
    data = archive({"1.png": good, "2.png": good[: len(good) // 2], "3.jpg": b"<html>", "4.png": good})
    with pages_of(data) as pages:
        assert pages.picture("page=4").size == (128, 96)
        for place, name in (("page=2", "2.png"), ("page=3", "3.jpg")):
            with pytest.raises(UnreadableImage, match=f"a.cbz/{name}"):
                pages.picture(place)


def test_r79_a_cut_archive_and_one_with_wrong_checksums(draw, pages_of):
    data = archive({"1.bmp": encoded(draw(1), "BMP")})
    for length in (0, 10, len(data) // 2, len(data) - 30):
        with pytest.raises(UnreadableImage) as caught:
            pages_of(data[:length])
        assert caught.value.reason == "damaged"
    broken = bytearray(data)
    broken[60:90] = bytes(30)
    with pages_of(bytes(broken)) as pages, pytest.raises(UnreadableImage) as caught:
        pages.picture("page=1")
    assert caught.value.reason == "damaged"


def test_an_archive_without_pictures_and_one_with_a_password(draw, pages_of):
    with pytest.raises(UnreadableImage) as caught:
        pages_of(archive({"notes.txt": b"x"}))
    assert caught.value.reason == "no_pictures"
    data = bytearray(archive({"1.png": encoded(draw(1), "PNG")}))
    data[6] |= 1  # encrypted, in both headers
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pages_of(bytes(data)) as pages, pytest.raises(UnreadableImage) as caught:
        pages.picture("page=1")
    assert caught.value.reason == "password"


def test_r80_a_zip_bomb_is_unpacked_to_the_limit_of_a_picture(pages_of, monkeypatch):
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as written, written.open("bomb.bmp", "w") as file:
        for _ in range(100):
            file.write(bytes(1_000_000))
    began = time.perf_counter()
    with pages_of(out.getvalue(), SourceLimits(picture_mb=2)) as pages, pytest.raises(UnreadableImage) as caught:
        pages.picture("page=1")
    assert caught.value.reason == "file_too_large" and "the limit is 2 MB" in str(caught.value)
    assert time.perf_counter() - began < 1


def test_r80_archives_of_very_many_files(pages_of, monkeypatch):
    data = archive({f"{number}.png": b"" for number in range(30)})
    with pages_of(data, SourceLimits(pages=20)) as pages:
        assert (len(pages.places), pages.total) == (20, 30)
    monkeypatch.setattr(module, "ENTRIES", 29)
    with pytest.raises(UnreadableImage) as caught:
        pages_of(data)
    assert caught.value.reason == "too_complex"
