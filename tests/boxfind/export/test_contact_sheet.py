"""The page is well formed, holds everything itself, and whatever things are called, nothing runs."""

import base64
import io
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from PIL import Image as Pillow

from boxfind.export.contact_sheet import POLICY, contact_sheet
from boxfind.export.search_result import SearchResult
from retrieval.errors import IndexProblem
from retrieval.images.decode import LoadedImage
from retrieval.types import Box
from tests.boxfind.export.hostile import ANY_TEXT, HOSTILE

VOID = {"meta", "img"}


class Page(HTMLParser):
    """Reads a page and checks that what is opened is closed, in order."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(data.decode("utf-8"))
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def skeleton(self) -> Counter[tuple[str, tuple[str, ...]]]:
        return Counter((tag, tuple(attrs)) for tag, attrs in self.tags)


def picture(attrs: dict[str, str | None]) -> Pillow.Image:
    kind, data = (attrs["src"] or "").split(",")
    assert kind == "data:image/jpeg;base64"
    return Pillow.open(io.BytesIO(base64.b64decode(data, validate=True)))


def test_the_page_lists_the_hits(answer: SearchResult):
    page = Page(contact_sheet(answer))
    tiles = page.all("img")[2:]
    assert "9 March 2025, 14:05 UTC" in page.text and "private pictures" in page.text
    for rank, (tile, hit) in enumerate(zip(tiles, answer.hits, strict=True), start=1):
        assert tile["alt"].startswith(f"Rank {rank}: {hit.image}, {hit.confidence} match")
        assert f"{hit.match} {hit.confidence}" in page.text
        assert f"{rank} {hit.image}" in page.text and f"{hit.similarity:.2f}" in page.text
        assert picture(tile).size == (320, 240)
    assert b"secret-place" not in contact_sheet(answer)


def test_landmarks_and_headings(answer: SearchResult):
    page = Page(contact_sheet(answer))
    assert page.all("html") == [{"lang": "en"}]
    assert all(len(page.all(tag)) == 1 for tag in ("header", "main", "footer", "h1", "title"))
    labels = {attrs["aria-labelledby"] for attrs in page.all("section")}
    assert labels == {attrs["id"] for attrs in page.all("h2")} and len(labels) == 2
    assert len(page.all("li")) == 6 and all(image["alt"] for image in page.all("img"))


def test_matched_regions_are_outlined_in_pixels_of_the_original(answer: SearchResult):
    page = Page(contact_sheet(answer))
    assert [svg["viewbox"] for svg in page.all("svg")] == ["0 0 800 600"] * 7
    lines = [attrs for attrs in page.all("rect") if attrs["class"].startswith("line")]
    expected = [answer.box, *(region.box for hit in answer.hits for region in (hit.region, *hit.others))]
    assert [tuple(int(line[side]) for side in ("x", "y", "width", "height")) for line in lines] == [
        box.xywh for box in expected
    ]
    assert [line["class"] for line in lines].count("line other") == 2


def test_the_query_is_shown_with_its_crop_and_without_metadata(answer: SearchResult):
    large = LoadedImage.of(answer.query.image.repeat(2, axis=0).repeat(2, axis=1))
    whole, crop = map(picture, Page(contact_sheet(replace(answer, query=large))).all("img")[:2])
    assert whole.size == (1024, 768) and crop.size == answer.box.xywh[2:]
    assert not whole.getexif() and whole.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    over = Page(contact_sheet(replace(answer, box=Box(700, 500, 900, 900)))).all("img")[1]
    assert picture(over).size == (100, 100)
    for box in (None, Box(900, 0, 1000, 100)):
        assert len(Page(contact_sheet(replace(answer, box=box))).all("img")) == 1 + 6
    assert len(Page(contact_sheet(replace(answer, query=None, box=None))).all("img")) == 6


def harmless(page: Page) -> None:
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "base", "form", "link"}
    policy = next(meta for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == POLICY == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    for tag, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on")]
        assert attrs.keys() & {"src", "href"} <= {"src" if tag == "img" else "href" if tag == "a" else ""}
    for image in page.all("img"):
        assert image["src"].startswith("data:image/jpeg;base64,")
    for link in page.all("a"):
        assert link["href"].startswith(("http://", "https://")) and link["rel"] == "noreferrer"


def test_the_page_loads_nothing(answer: SearchResult):
    page = Page(contact_sheet(answer))
    harmless(page)
    assert [link["href"] for link in page.all("a")] == [answer.link]
    without = contact_sheet(replace(answer, link="")).decode()
    assert not re.search(r"https?:|//|url\(|@import", re.sub(r"base64,[^\"]*", "", without))


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", " https://a", "file:///etc", "//a.example"]
)
def test_only_a_web_url_becomes_a_link(answer: SearchResult, link):
    assert not Page(contact_sheet(replace(answer, link=link))).all("a")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_changes_no_tag(odd_answer, text):
    page = Page(contact_sheet(odd_answer(text, text)))
    harmless(page)
    ordinary = Page(contact_sheet(odd_answer("title", "image.jpg")))
    assert page.skeleton == ordinary.skeleton
    assert "\u202e" not in page.text and len(page.text) <= len(ordinary.text) + 3 * 80


@given(ANY_TEXT, ANY_TEXT)
@settings(max_examples=100)
def test_any_text_changes_no_tag(odd_answer, title, image):
    page = Page(contact_sheet(odd_answer(title, image)))
    harmless(page)
    assert page.skeleton == Page(contact_sheet(odd_answer("title", "image.jpg"))).skeleton


def test_missing_previews_are_replaced_by_text(odd_answer):
    def gone(_: str) -> bytes:
        raise IndexProblem("The index has been rebuilt since.")

    for preview in (gone, lambda _: b"<script>"):
        odd = odd_answer("title", "image.jpg")
        odd.gallery.thumbnail = preview
        page = Page(contact_sheet(odd))
        harmless(page)
        assert "No preview available" in page.text and len(page.all("img")) == 2


def test_the_heading_says_when_no_match_is_confident(answer: SearchResult):
    def heading(*hits) -> str:
        return Page(contact_sheet(replace(answer, hits=hits))).text

    first = answer.hits[0]
    assert "The best" in heading(replace(first, confidence="likely"))
    assert "The 2 best" in heading(*[replace(first, confidence="possible")] * 2)
    unlikely = heading(replace(first, confidence="unlikely"))
    assert "Nearest look-alikes" in unlikely and "No confident match" in unlikely
    assert "Nothing was found" in heading() and "No confident match" not in heading()
