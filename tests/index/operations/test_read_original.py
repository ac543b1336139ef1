"""An original is read only if it is the file that was indexed."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from index.gallery import Gallery, open_gallery
from index.operations.away_check import forget_answers
from index.operations.read_original import read_original, source_file
from retrieval.errors import GalleryAway, PictureGone, UnknownPicture
from retrieval.images.decode import decode_image, decode_picture
from tests.documents import paged


@pytest.fixture
def opened(gallery: Path, build_index) -> Gallery:
    return open_gallery(build_index(gallery))


def test_an_unchanged_file_is_read(opened: Gallery, gallery: Path):
    assert read_original(opened, "below/6.png") == (gallery / "below" / "6.png").read_bytes()
    with pytest.raises(UnknownPicture):
        read_original(opened, "nowhere.png")


def test_a_link_within_the_gallery_is_followed(opened: Gallery, gallery: Path):
    (gallery / "0.png").rename(gallery / "below" / "moved.png")
    (gallery / "0.png").symlink_to(gallery / "below" / "moved.png")
    assert read_original(opened, "0.png") == (gallery / "below" / "moved.png").read_bytes()


def test_r64_a_link_out_of_the_gallery_is_not_followed(opened: Gallery, gallery: Path, tmp_path: Path):
    """Not even to a copy of the indexed file, nor below a folder that is now a link."""
    shutil.copy(gallery / "0.png", tmp_path / "copy.png")
    (gallery / "0.png").unlink()
    (gallery / "0.png").symlink_to(tmp_path / "copy.png")
    shutil.move(gallery / "below", tmp_path / "elsewhere")
    (gallery / "below").symlink_to(tmp_path / "elsewhere")
    for image in ("0.png", "below/6.png"):
        with pytest.raises(PictureGone, match="is now a link out of the gallery folder") as refused:
            read_original(opened, image)
        assert str(tmp_path) not in str(refused.value)


def test_r64_another_file_of_the_same_name_is_not_the_indexed_picture(opened: Gallery, gallery: Path):
    shutil.copy(gallery / "1.png", gallery / "0.png")
    with pytest.raises(PictureGone, match="has changed since it was indexed"):
        read_original(opened, "0.png")


def test_r64_what_cannot_be_read_names_no_folder(opened: Gallery, gallery: Path):
    for image in ("0.png", "1.png", "2.png"):
        (gallery / image).unlink()
    (gallery / "1.png").symlink_to("1.png")  # a loop
    os.mkfifo(gallery / "2.png")
    for image in ("0.png", "1.png", "2.png"):
        with pytest.raises(PictureGone, match="cannot be opened any more") as refused:
            read_original(opened, image)
        assert str(gallery) not in str(refused.value)


@pytest.fixture
def documents(gallery: Path, build_index, draw) -> Gallery:
    images = [draw(seed) for seed in (20, 21)]
    (gallery / "scan.tif").write_bytes(paged(images, "TIFF"))
    (gallery / "a.pdf").write_bytes(paged(images, "PDF", quality=95))
    return open_gallery(build_index(gallery))


def test_a_page_is_a_png_of_itself(documents: Gallery, draw):
    page = read_original(documents, "scan.tif#page=2")
    assert page.startswith(b"\x89PNG") and np.array_equal(decode_image(page), draw(21))
    assert read_original(documents, "scan.tif") == documents.file("scan.tif").read_bytes()
    shown = decode_picture(read_original(documents, "a.pdf#page=2"))
    assert shown.size == (documents.entry("a.pdf#page=2").width, documents.entry("a.pdf#page=2").height) == (1920, 1440)
    with pytest.raises(UnknownPicture):
        read_original(documents, "a.pdf")


def test_r81_a_page_of_a_file_that_has_changed_is_not_shown(documents: Gallery, gallery: Path, draw):
    assert source_file(documents, "a.pdf#page=1") == gallery / "a.pdf"
    (gallery / "a.pdf").touch()
    assert source_file(documents, "a.pdf#page=1") == gallery / "a.pdf"  # only its time has changed
    (gallery / "a.pdf").write_bytes(paged([draw(1), draw(2)], "PDF"))
    for read in (read_original, source_file):
        with pytest.raises(PictureGone, match="has changed since it was indexed"):
            read(documents, "a.pdf#page=1")
    (gallery / "a.pdf").unlink()
    for read in (read_original, source_file):
        with pytest.raises(PictureGone, match="cannot be opened any more"):
            read(documents, "a.pdf#page=1")


def test_r95_an_original_on_a_drive_that_is_away_is_not_opened(
    opened: Gallery, gallery: Path, monkeypatch: pytest.MonkeyPatch
):
    forget_answers()
    monkeypatch.setattr("index.operations.read_original.read_file", lambda *_: pytest.fail("it was opened"))
    gallery.rename(gallery.with_name("unplugged"))
    for read in (read_original, source_file):
        with pytest.raises(GalleryAway, match=r"^The drive with this folder is not connected\.$"):
            read(opened, opened.tables.ids[0])
