"""Pages of PDF files."""

import time

import numpy as np
import pytest

from retrieval.errors import UnreadableImage
from retrieval.images import pdf
from retrieval.images.limits import SourceLimits
from retrieval.images.pdf import SIDE, PdfPages
from retrieval.images.resize import resize_image
from tests.documents import paged, text_pdf

LIMITS = SourceLimits()


@pytest.fixture
def pages_of(tmp_path):
    def open_pages(data: bytes, limits: SourceLimits = LIMITS) -> PdfPages:
        (tmp_path / "a.pdf").write_bytes(data)
        return PdfPages(tmp_path / "a.pdf", "a.pdf", limits)

    return open_pages


def test_a_scan_is_shown_as_it_was_scanned(draw, pages_of):
    images = [draw(seed) for seed in range(3)]
    with pages_of(paged(images, "PDF", quality=95)) as pages:
        assert pages.places == ["page=1", "page=2", "page=3"] and pages.total == 3
        for place, image in zip(pages.places, images, strict=True):
            page = pages.picture(place)
            assert page.size == (SIDE, SIDE * 3 // 4) == page.image.shape[1::-1]
            assert np.abs(resize_image(page.image, 128, 96).astype(int) - image).mean() < 8
            assert not page.image.flags.writeable
            assert pages.text(place) == []


def test_a_page_is_rendered_as_small_as_suffices(draw, pages_of):
    with pages_of(paged([draw(1)], "PDF")) as pages:
        small = pages.picture("page=1", enough=400)
        assert small.size == (SIDE, SIDE * 3 // 4) and small.image.shape == (300, 400, 3)


def test_the_text_of_a_page_and_where_it_is(pages_of):
    with pages_of(text_pdf(["Blue kettle 1.7 l", "EUR 24.99"], pages=2)) as pages:
        lines = pages.text("page=2")
        assert [line.text for line in lines] == ["Blue kettle 1.7 l", "EUR 24.99", "Sheet 2"]
        page = pages.picture("page=2")
        for line in lines:
            inside = page.image[line.box.y0 : line.box.y1, line.box.x0 : line.box.x1]
            assert inside.min() < 100 and line.box.x1 <= page.width
        ink = np.argwhere(page.image.min(axis=2) < 100)
        boxes = [line.box for line in lines]
        for y, x in ink[:: max(len(ink) // 50, 1)]:
            assert any(box.x0 - 3 <= x <= box.x1 + 3 and box.y0 - 3 <= y <= box.y1 + 3 for box in boxes)


def test_only_the_first_pages_of_a_long_document_have_places(pages_of):
    with pages_of(text_pdf(["x"], pages=7), SourceLimits(pages=3)) as pages:
        assert (pages.places, pages.total) == (["page=1", "page=2", "page=3"], 7)
        assert pages.picture("page=7", enough=100).size[1] == SIDE  # all can be opened
        with pytest.raises(UnreadableImage, match=r"a\.pdf has no picture at page=8"):
            pages.picture("page=8")


def test_r80_ten_thousand_pages_take_no_time_before_they_are_shown(pages_of):
    data = text_pdf(["x"], pages=10_000)
    began = time.perf_counter()
    with pages_of(data) as pages:
        assert len(pages.places) == 2_000 and pages.total == 10_000
        assert pages.picture("page=1999", enough=100).image.shape[0] == 100
    assert time.perf_counter() - began < 3


@pytest.mark.parametrize("size", [(200_000, 200_000), (0.01, 0.01), (14_400, 100)])
def test_r79_pages_of_any_size_are_rendered_within_the_limit_or_refused(pages_of, size):
    with pages_of(text_pdf(["x"], size=size)) as pages:
        try:
            page = pages.picture("page=1")
        except UnreadableImage as problem:
            assert problem.reason in ("bad_aspect", "too_small", "damaged")
        else:
            assert max(page.image.shape) <= SIDE


def test_r79_a_cut_or_damaged_document_is_refused_or_shows_what_is_there(draw, pages_of):
    data = paged([draw(seed) for seed in range(3)], "PDF")
    for length in (0, 5, 100, len(data) // 2, len(data) - 100):
        try:
            with pages_of(data[:length]) as pages:
                for place in pages.places:
                    pages.picture(place, enough=100)
        except UnreadableImage as problem:
            assert "a.pdf" in str(problem) and str(problem).endswith(".")


def test_a_document_with_a_password_says_so(pages_of, monkeypatch):
    import pypdfium2

    def locked(*_: object) -> None:
        raise pypdfium2.PdfiumError("Failed to load document (PDFium: Incorrect password error).")

    monkeypatch.setattr(pypdfium2, "PdfDocument", locked)
    with pytest.raises(UnreadableImage, match="needs a password") as caught:
        pages_of(b"%PDF-1.4")
    assert caught.value.reason == "password"


def test_the_text_of_a_page_is_limited(pages_of, monkeypatch):
    monkeypatch.setattr(pdf, "MOST_LINES", 2)
    with pages_of(text_pdf(["one", "two", "three"])) as pages:
        assert [line.text for line in pages.text("page=1")] == ["one", "two"]
