"""What opens a file, and which of its pictures are read."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from index.storage.sources import BY_DEFAULT, Reading, list_contents, load_query, pictures, read_picture, source_format
from retrieval.errors import UnreadableImage
from retrieval.images import file_kinds, video
from retrieval.images.decode import LoadedImage
from retrieval.images.limits import SourceLimits
from retrieval.optional_packages import OptionalPackage
from tests.documents import archive, encoded, paged
from tests.tiny import draw_picture


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    (tmp_path / "scan.tif").write_bytes(paged([draw_picture(seed) for seed in range(3)], "TIFF"))
    return tmp_path / "scan.tif"


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that begins like a film, and a decoder that shows a picture a second."""
    (tmp_path / "trip.mp4").write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(100))
    monkeypatch.setitem(file_kinds.PACKAGES, "video", OptionalPackage("numpy", "numpy", "video"))

    def key_frames(path: Path, enough: int | None = None) -> Iterator[tuple[float, LoadedImage]]:
        for seconds in (0.0, 1.5, 1.501, 83.2):
            yield seconds, LoadedImage.of(draw_picture(int(seconds)))

    monkeypatch.setattr(video, "key_frames", key_frames)
    monkeypatch.setattr(video, "frame_at", lambda path, seconds: LoadedImage.of(draw_picture(int(seconds))))
    monkeypatch.setattr(video, "key_times", lambda path, most: [0.0, 1.5, 83.2][:most])
    monkeypatch.setattr(video, "facts", lambda path: video.VideoFacts(90.0, 128, 96, "h264"))
    return tmp_path / "trip.mp4"


def test_pages_from_a_number_on_and_what_begins(scan: Path):
    begun = []
    found = list(pictures(scan, BY_DEFAULT, part=(1, None), begin=lambda *place: begun.append(place)))
    assert [place for place, _ in found] == ["page=2", "page=3"] and begun == [(1, "page=2"), (2, "page=3")]
    assert np.array_equal(found[1][1].image, draw_picture(2))
    assert [place for place, _ in pictures(scan, BY_DEFAULT, part=(0, 1))] == [""]


def test_moments_of_a_film_have_places_of_their_own(film: Path):
    assert [place for place, _ in pictures(film, BY_DEFAULT)] == ["t=0.00", "t=1.50", "t=83.20"]
    assert np.array_equal(read_picture(film, "a", "t=83.20", BY_DEFAULT).image, draw_picture(83))
    assert np.array_equal(read_picture(film, "a", "", BY_DEFAULT).image, draw_picture(0))
    contents = list_contents(film, "a", BY_DEFAULT)
    assert (contents.places, contents.seconds, contents.key_times) == ((), 90.0, (0.0, 1.5, 83.2))


def test_a_film_may_be_larger_than_any_other_file(film: Path):
    with film.open("r+b") as file:
        file.truncate(2_000_000_000)  # takes no space
    assert len(list(pictures(film, Reading(SourceLimits(picture_mb=1, document_mb=1))))) == 3


def test_without_its_package_a_film_is_refused(film: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(file_kinds.PACKAGES, "video", OptionalPackage("av", "no_such_module", "video"))
    with pytest.raises(UnreadableImage, match=r"trip\.mp4 is a video, which needs the package av") as refused:
        list(pictures(film, BY_DEFAULT))
    assert refused.value.reason == "format"


def test_an_empty_document_is_empty(tmp_path: Path):
    for name in ("a.pdf", "a.zip", "a.mp4"):
        (tmp_path / name).touch()
        with pytest.raises(UnreadableImage, match=r"is empty \(0 bytes\)"):
            list(pictures(tmp_path / name, BY_DEFAULT))


def test_a_query_may_be_a_page(scan: Path, tmp_path: Path):
    assert np.array_equal(load_query(scan, BY_DEFAULT).image, draw_picture(0))
    assert np.array_equal(load_query(tmp_path / "scan.tif#page=3", BY_DEFAULT).image, draw_picture(2))
    (tmp_path / "scan.tif#page=2").write_bytes(encoded(draw_picture(9), "PNG"))  # a file of this name goes first
    assert np.array_equal(load_query(tmp_path / "scan.tif#page=2", BY_DEFAULT).image, draw_picture(9))
    for name in ("scan.tif#page=7", "scan.tif#t=1.00"):
        with pytest.raises(UnreadableImage):
            load_query(tmp_path / name, BY_DEFAULT)
    with pytest.raises(UnreadableImage, match="There is no file") as refused:
        load_query(tmp_path / "none.pdf#page=2", BY_DEFAULT)
    assert refused.value.reason == "missing"


def test_formats_by_content(tmp_path: Path):
    files = {
        "a.jpg": (paged([draw_picture(1)], "PDF"), "PDF"),
        "b.pdf": (encoded(draw_picture(1), "PNG"), "PNG"),
        "c.cbz": (archive({"1.png": b""}), "ZIP"),
        "d.mov": (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "video"),
        "e.mkv": (b"\x1aE\xdf\xa3", "video"),
        "f.pdf": (b"notes", "PDF"),
    }
    for name, (data, kind) in files.items():
        (tmp_path / name).write_bytes(data)
        assert source_format(tmp_path / name) == kind
    with pytest.raises(UnreadableImage):
        source_format(tmp_path / "none")
    with pytest.raises(UnreadableImage) as refused:
        source_format(tmp_path)
    assert refused.value.reason == "special"
