"""Visitors' files that hold several pictures."""

from pathlib import Path

import numpy as np
import pytest

from boxfind import uploads
from boxfind.settings import Settings
from boxfind.uploads import Upload
from boxfind.visitor_pictures import VisitorPictures
from index.building.decoder_pool import DecoderPool
from retrieval.errors import UnreadableImage
from retrieval.images.decode import decode_image
from tests.documents import archive, encoded, paged, text_pdf
from tests.films import film


@pytest.fixture
def visitors(pool: DecoderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VisitorPictures:
    monkeypatch.setattr("boxfind.visitor_pictures.DecoderPool", lambda *_, **__: pool)
    return VisitorPictures(Settings.load(data=tmp_path, pages=3).reading)


def test_a_photo_is_itself(visitors: VisitorPictures, draw):
    data = encoded(draw(1), "PNG")
    upload = visitors.open_upload(data, "a.png")
    assert upload.places == ("",) and not upload.holds_several
    assert visitors.read_upload(upload, "") == data


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PDF"])
def test_pages_and_frames_can_be_chosen(visitors: VisitorPictures, draw, kind):
    data = paged([draw(1), draw(2)], kind)
    upload = visitors.open_upload(data, "a.any")
    word = {"TIFF": "page", "GIF": "frame", "PDF": "page"}[kind]
    assert upload.places[1] == f"{word}=2" and upload.holds_several
    chosen = visitors.read_upload(upload, f"{word}=2")
    assert chosen.startswith(b"\x89PNG") and decode_image(chosen).shape[2] == 3
    if kind == "TIFF":
        assert np.array_equal(decode_image(chosen), draw(2)) and visitors.read_upload(upload, "") == data


def test_the_limits_are_those_of_the_gallery(visitors: VisitorPictures):
    upload = visitors.open_upload(text_pdf(["x"], pages=5), "a.pdf")
    assert (upload.places, upload.contents.total) == (("page=1", "page=2", "page=3"), 5)


def test_what_is_no_picture_is_refused_with_its_name(visitors: VisitorPictures):
    upload = visitors.open_upload(b"notes", "a.jpg")  # looking does not decode
    with pytest.raises(UnreadableImage, match=r"a\.jpg is not a picture"):
        visitors.read(visitors.read_upload(upload, ""), "a.jpg")
    with pytest.raises(UnreadableImage, match=r"a\.zip is an archive without pictures"):
        visitors.open_upload(archive({"notes.txt": b"x"}), "a.zip")


def test_the_file_is_kept_as_long_as_it_is_needed(visitors: VisitorPictures, draw):
    upload = visitors.open_upload(paged([draw(1), draw(2)], "TIFF"), "../../etc/passwd.tif")
    folder = upload.path.parent
    assert [path.name for path in folder.iterdir()] == ["upload"]
    del upload
    assert not folder.exists()


def test_a_document_that_is_read_as_a_picture_is_its_first_page(visitors: VisitorPictures, draw):
    page = visitors.read(paged([draw(1), draw(2)], "PDF", quality=95), "a.pdf")
    assert page.size == (1920, 1440)
    other = visitors.read(paged([draw(1), draw(2)], "TIFF"), "a.tif", place="page=2")
    assert np.array_equal(other.image, draw(2))
    with pytest.raises(UnreadableImage, match="no picture at page=3"):
        visitors.read(paged([draw(1), draw(2)], "PDF"), "a.pdf", place="page=3")


def test_r59_kept_files_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 25)
    monkeypatch.setattr(uploads, "_kept", [])
    kept = [Upload.of(b"x" * 10, f"{number}.pdf") for number in range(3)]
    assert [upload.is_kept for upload in kept] == [upload.path.exists() for upload in kept] == [False, True, True]
    del kept[1]
    assert kept[1].is_kept and Upload.of(b"x" * 15, "3.pdf").is_kept and kept[1].is_kept
    assert Upload.of(b"x" * 100, "4.pdf").is_kept and not kept[1].is_kept


def test_a_film_has_key_frames_to_step_through(visitors: VisitorPictures, draw):
    upload = visitors.open_upload(film([draw(1), draw(2)], seconds=2), "a.mp4")
    assert upload.is_film and upload.holds_several and upload.seconds == pytest.approx(4, abs=0.2)
    assert upload.contents.key_times[0] == 0 and list(upload.contents.key_times) == sorted(upload.contents.key_times)
    first, last = (visitors.read_upload(upload, place) for place in ("t=0.00", "t=3.50"))
    assert first != last and decode_image(first).shape == draw(1).shape
