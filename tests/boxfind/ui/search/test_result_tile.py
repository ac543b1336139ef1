from dataclasses import replace
from types import SimpleNamespace
from typing import Any, get_args

from boxfind.ui.search.match_dialog import outlined, score_parts, verdict
from boxfind.ui.search.result_tile import TONES, described, hit_tile
from boxfind.ui.widgets.picture_view import ViewedPicture
from boxfind.ui.widgets.thumbnail import COLOURS
from retrieval.ranking.confidence import MEANINGS, meaning
from retrieval.request import Request
from retrieval.types import Box, Confidence, Hit, Region, WrittenLine

GALLERY: Any = SimpleNamespace(
    entry=lambda image: SimpleNamespace(width=400, height=300, source=image, place="", file_sha256=""),
    thumbnail=lambda image: image.encode(),
)


def hit(
    kind: str = "grid",
    confidence: Confidence = "possible",
    others: tuple[Region, ...] = (),
    figure: int | None = None,
) -> Hit:
    return Hit(
        image="cup.jpg",
        region=Region(Box(0, 0, 50, 40), kind),
        score=1.534,
        similarity=0.614,
        confidence=confidence,
        parts={"expansion": 0.71, "diffusion": 0.124, "verification": 0.7},
        others=others,
        match=figure,
    )


def test_every_confidence_has_a_tone_and_a_meaning() -> None:
    assert set(TONES) == set(MEANINGS) == set(get_args(Confidence))
    assert len(set(MEANINGS.values())) == len(MEANINGS)
    assert TONES["likely"] != TONES["possible"] != TONES["uncertain"] == TONES["unlikely"]


def test_a_tile_shows_rank_figure_and_word() -> None:
    tile = hit_tile(GALLERY, 2, hit(figure=62), Request(positives=("other.jpg",)))
    assert (tile.name, tile.title, tile.badge, tile.tone) == ("cup.jpg", "2  cup.jpg", "62 possible", "fair")
    assert tile.alt == "Rank 2: cup.jpg, possible match, 62 of 100"
    assert tile.help == "Match 62: of hits shown like this, about 62 in 100 are right."
    assert tile.pressed == () and tile.outlines == (Box(0, 0, 50, 40),)


def test_a_hit_that_words_ranked_has_no_figure() -> None:
    tile = hit_tile(GALLERY, 2, hit(), Request())
    assert (tile.badge, tile.alt, tile.help) == ("possible", "Rank 2: cup.jpg, possible match", MEANINGS["possible"])


def test_a_picture_marked_right_has_a_pressed_thumb() -> None:
    assert hit_tile(GALLERY, 1, hit(), Request(positives=("cup.jpg",))).pressed == ("right",)


def test_every_queried_object_is_outlined() -> None:
    second = Region(Box(60, 60, 90, 90), "grid")
    assert hit_tile(GALLERY, 1, hit(others=(second,)), Request()).outlines == (Box(0, 0, 50, 40), second.box)


def test_verified_hits_are_marked() -> None:
    verified = hit("verified", "likely", figure=99)
    assert hit_tile(GALLERY, 1, verified, Request()).badge == "✓ 99 likely"
    assert described(1, "cup.jpg", verified) == "Rank 1: cup.jpg, likely match, details agree, 99 of 100"
    assert meaning(verified).endswith("Small details agree; the outline shows where.")
    assert "✓" not in hit_tile(GALLERY, 1, hit(confidence="likely"), Request()).badge


def test_the_reasons_add_up_to_the_score() -> None:
    assert "Similarity (cosine) 0.61" in verdict(hit())
    assert [line.split("|")[2].strip() for line in score_parts(hit()).splitlines() if line.startswith("| ")] == [
        "1.53",
        "0.71",
        "0.12",
        "0.70",
    ]


def test_a_result_says_which_words_are_also_in_the_box() -> None:
    lines = [WrittenLine(text, Box(0, 0, 9, 9), 1.0) for text in ("Coca-Cola", "Coca-Cola", "*Zero*", "Sugar")]
    found = replace(hit(), same_text=tuple(lines))
    tile = hit_tile(GALLERY, 2, found, Request())
    assert tile.title == "2  “Coca-Cola”, “*Zero*”  cup.jpg"
    assert tile.alt == "Rank 2: cup.jpg, possible match, the same words: “Coca-Cola”, “*Zero*”"
    assert "The same words as in your box: “Coca\\-Cola”, “\\*Zero\\*”" in verdict(found)
    assert "words" not in verdict(hit()) + described(1, "cup.jpg", hit())


def test_the_closer_view_outlines_the_regions_and_the_lines_with_the_same_words() -> None:
    line, other = WrittenLine("Coca-Cola", Box(3, 4, 40, 12), 1.0), Region(Box(60, 0, 90, 40), "grid")
    shown = outlined(ViewedPicture("cup", b"", (400, 300), ""), replace(hit(others=(other,)), same_text=(line, line)))
    assert shown.outlines == (Box(0, 0, 50, 40), other.box, line.box, line.box)
    assert shown.colours == COLOURS
    assert outlined(shown, hit()).outlines == (Box(0, 0, 50, 40),)
