"""Pictures are told from other files by their first bytes and their suffix."""

import io

import pytest
from PIL import Image as Pillow

from retrieval.errors import UnreadableImage
from retrieval.images.decode import decode_image
from retrieval.images.file_kinds import START, content_format, is_worth_opening, picture_format
from retrieval.images.limits import FORMATS

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_that_is_read_is_known_by_its_first_bytes(name: str):
    file = io.BytesIO()
    Pillow.new("RGB", (20, 20)).save(file, name)
    assert content_format(file.getvalue()[:START]) == name


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (HEIC, "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", "HEIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "RAW"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", ""),
        (b"II*\0\x10\0\0\0CR\2\0", "RAW"),
        (b"FUJIFILMCCD-RAW 0201", "RAW"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"8BPS\0\1", "Photoshop"),
        (b"BMW is a car, not a bitmap", ""),
        (b"", ""),
    ],
)
def test_first_bytes_of_other_files(start: bytes, name: str):
    assert content_format(start) == name


def test_the_content_decides_but_raw_files_are_no_tiffs():
    assert picture_format("a.HEIC", b"\xff\xd8\xff\xe0") == "JPEG"
    assert picture_format("a.heic", b"something else") == "HEIC"
    assert picture_format("a.dng", b"II*\0\x08\0\0\0") == "RAW"
    assert picture_format("a.nef", b"\xff\xd8\xff\xe0") == "JPEG"
    assert picture_format("a", b"II*\0\x08\0\0\0") == "TIFF"
    assert picture_format("a", b"notes") == ""


def test_files_of_other_kinds_are_not_opened():
    others = "a.jpg.xmp", "A.AAE", "notes.txt", "film.MOV", "a.zip", "Thumbs.db", "a.jpg~", "a.jpg_original", "a.py"
    assert not any(map(is_worth_opening, (*others, "a.jpg", "a.THM", "a.jpg.part")))
    assert all(map(is_worth_opening, ("a.HEIC", "a.dng", "picture", "a.dat", "Photo 2021.05.01", "a.eps")))


def test_r60_a_query_in_another_format_is_named():
    with pytest.raises(
        UnreadableImage, match=r"^a\.jpg is a picture in HEIC format, .* convert it to JPEG\.$"
    ) as refused:
        decode_image(HEIC, "a.jpg")
    assert refused.value.reason == "format"
