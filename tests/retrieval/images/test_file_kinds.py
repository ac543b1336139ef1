"""Pictures are told from other files by their first bytes and their suffix."""

import io

import pytest
from PIL import Image as Pillow

from retrieval.errors import UnreadableImage
from retrieval.images.decode import decode_image
from retrieval.images.file_kinds import (
    FORMAT_OF_SUFFIX,
    OTHER_SUFFIXES,
    PACKAGES,
    READ,
    START,
    content_format,
    is_unread,
    is_worth_opening,
    picture_format,
    readable_suffixes,
    unread_sentence,
)
from retrieval.images.limits import FORMATS, SOURCE_SUFFIXES, VIDEO_SUFFIXES
from retrieval.optional_packages import OptionalPackage

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
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "video"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0M4A ", ""),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81", "video"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"RIFF\0\0\0\0WAVEfmt ", ""),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\3\4\x14\0", "ZIP"),
        (b"\xff\x0a\xfa", "JPEG XL"),
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
    others = (
        "a.jpg.xmp",
        "A.AAE",
        "notes.txt",
        "song.mp3",
        "a.7z",
        "a.docx",
        "Thumbs.db",
        "a.jpg~",
        "a.jpg_original",
        "a.py",
    )
    assert not any(map(is_worth_opening, (*others, "a.THM", "a.jpg.part")))
    assert all(map(is_worth_opening, ("a.HEIC", "a.dng", "picture", "a.dat", "Photo 2021.05.01", "a.eps")))


def test_r60_a_query_in_another_format_is_named():
    with pytest.raises(
        UnreadableImage, match=r"^a\.jpg is a picture in Photoshop format, .* convert it to JPEG\.$"
    ) as refused:
        decode_image(b"8BPS\0\1" + bytes(60), "a.jpg")
    assert refused.value.reason == "format"


def test_a_document_is_not_one_picture():
    for start, name in ((b"%PDF-1.7\n", "a.pdf"), (b"PK\3\4", "a.zip"), (b"\x1aE\xdf\xa3", "a.mkv")):
        with pytest.raises(UnreadableImage, match="choose one of them") as refused:
            decode_image(start + bytes(60), name)
        assert refused.value.reason == "several"


def test_a_zip_counts_only_by_its_suffix():
    for name, kind in (("a.cbz", "ZIP"), ("a.zip", "ZIP"), ("a.jpg", "ZIP"), ("a.kra", ""), ("a", "")):
        assert picture_format(name, b"PK\3\4") == kind


def test_every_suffix_that_is_read_is_that_of_a_format_that_is_read():
    assert {FORMAT_OF_SUFFIX.get(suffix, "JPEG") for suffix in SOURCE_SUFFIXES} <= set(READ)
    assert not OTHER_SUFFIXES & set(SOURCE_SUFFIXES) and readable_suffixes() == set(SOURCE_SUFFIXES)


def test_without_a_package_its_files_are_not_readable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PACKAGES, "video", OptionalPackage("av", "no_such_module", "video"))
    assert set(SOURCE_SUFFIXES) - readable_suffixes() == set(VIDEO_SUFFIXES)
    assert is_unread("video") and not is_unread("PDF")
    assert unread_sentence("a.mp4", "video") == (
        'a.mp4 is a video, which needs the package av; run `pip install -e ".[video]"` in the Boxfind folder.'
    )
