"""The sheet shows the boxed query and ten boxed matches, with any names."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageColor, ImageDraw

from boxfind.export import result_sheet as module
from boxfind.export.result_sheet import EDGE, OUTLINE, QUERY, TILE, WIDTH, result_sheet
from boxfind.export.search_result import SearchResult
from retrieval.errors import IndexProblem
from retrieval.images.decode import LoadedImage
from retrieval.types import Box
from tests.boxfind.export.hostile import HOSTILE


def sheet(answer: SearchResult) -> np.ndarray:
    """Decode the sheet to pixels, (H, W, 3)."""
    with Pillow.open(io.BytesIO(result_sheet(answer))) as picture:
        assert picture.format == "JPEG" and picture.width == WIDTH and not picture.getexif()
        return np.asarray(picture.convert("RGB"))


def outline(part: np.ndarray) -> tuple[int, int, int, int]:
    """Return the bounding box x0, y0, x1, y1 of all pixels in the outline colour."""
    near = np.abs(part.astype(int) - ImageColor.getrgb(OUTLINE)).max(axis=2) < 30
    rows, columns = np.nonzero(near)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.fixture
def grey(answer: SearchResult) -> SearchResult:
    """The same result with a grey query and grey previews, so that only outlines are coloured."""
    return replace(answer, query=LoadedImage.of(np.full((600, 800, 3), 90, np.uint8)))


def test_the_query_box_is_outlined(grey: SearchResult):
    scale = min(QUERY[0] / 800, QUERY[1] / 600)
    x, y = EDGE + (QUERY[0] - 800 * scale) / 2, EDGE + (QUERY[1] - 600 * scale) / 2
    drawn = outline(sheet(grey)[: EDGE + QUERY[1], : EDGE + QUERY[0]])
    box = grey.box
    assert drawn == pytest.approx(
        [x + box.x0 * scale, y + box.y0 * scale, x + box.x1 * scale, y + box.y1 * scale], abs=2
    )


def test_the_matched_region_is_outlined_in_its_tile(grey: SearchResult, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "load_preview", lambda *_: Pillow.new("RGB", (320, 240), (90, 90, 90)))
    box = Box(200, 150, 600, 450)  # of 800 x 600
    hit = replace(grey.hits[0], region=replace(grey.hits[0].region, box=box), others=())
    top = sheet(replace(grey, hits=())).shape[0] - EDGE
    tile = sheet(replace(grey, hits=(hit,)))[top : top + TILE, EDGE : EDGE + TILE]
    assert outline(tile) == pytest.approx([TILE * share for share in (0.25, 0.3125, 0.75, 0.6875)], abs=2)


def test_only_the_ten_best_are_drawn_in_two_rows(answer: SearchResult, monkeypatch: pytest.MonkeyPatch):
    written: list[str] = []
    text = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "text",
        lambda pen, place, words, *rest: written.append(words) or text(pen, place, words, *rest),
    )
    first, *_ = answer.hits
    few, many = (sheet(replace(answer, hits=(first,) * count)).shape[0] for count in (5, 25))
    assert many - few > TILE
    told = [words for words in written if words.endswith("plain.jpg")]
    assert [words.split()[0] for words in told] == [*"12345", *"12345678", "9", "10"]
    assert f"{first.match} {first.confidence}  {first.score:.3f}" in written and "Red mug" in written
    assert "The 10 best of 6 pictures" in written and "x 100, y 80, 300 x 340 pixels" in written


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_in_their_tiles(odd_answer, text: str):
    page, ordinary = sheet(odd_answer(text, text)), sheet(odd_answer("title", "image.jpg"))
    assert page.shape == ordinary.shape
    beside = (slice(EDGE + QUERY[1] + 20, None), slice(EDGE + TILE + 2, None))
    assert np.array_equal(page[beside], ordinary[beside])
    assert (page[:, -8:] > 240).all()


def test_a_sheet_without_hits_query_box_or_previews(answer: SearchResult, odd_answer):
    for less in (replace(answer, hits=()), replace(answer, query=None, box=None), replace(answer, box=None)):
        sheet(less)
    sheet(replace(answer, box=Box(-50, -50, 5000, 3)))
    sheet(replace(answer, box=Box(900, 700, 950, 750)))

    def gone(_: str) -> bytes:
        raise IndexProblem("The index has been rebuilt since.")

    for preview in (gone, lambda _: b"<script>"):
        odd = odd_answer("title", "image.jpg")
        odd.gallery.thumbnail = preview
        sheet(odd)
