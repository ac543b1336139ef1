from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from PIL import Image as Pillow

from retrieval.embed import SMALLEST_BOX
from retrieval.types import Box, Confidence, Hit, Region
from ui import result_grid
from ui.result_grid import COLOURS, MEANINGS, described, judged, meaning, reasons, search_from


def hit(kind: str = "grid", confidence: Confidence = "possible") -> Hit:
    return Hit(
        image="cup.jpg",
        region=Region(Box(0, 0, 50, 40), kind),
        score=1.534,
        similarity=0.614,
        confidence=confidence,
        parts={"expansion": 0.71, "diffusion": 0.124, "verification": 0.7},
    )


def test_every_confidence_has_a_colour_and_a_meaning() -> None:
    assert set(COLOURS) == set(MEANINGS) == set(get_args(Confidence))
    assert len(set(COLOURS.values())) == len(set(MEANINGS.values())) == 3


def test_a_tile_tells_its_confidence_and_similarity_not_the_score() -> None:
    assert judged(hit()) == ":orange-badge[possible] 0.61"
    assert described(2, hit()) == "Rank 2: cup.jpg, possible match"
    assert meaning(hit()) == MEANINGS["possible"]


def test_details_that_agree_are_marked_and_told() -> None:
    verified = hit("verified", "likely")
    assert judged(verified) == ":green-badge[:material/verified: likely] 0.61"
    assert described(1, verified) == "Rank 1: cup.jpg, likely match, details agree"
    assert meaning(verified).startswith("Details agree")
    assert "verified" not in judged(hit(confidence="likely"))


def test_the_reasons_add_up_to_the_score() -> None:
    told = reasons(hit())
    assert "Similarity (cosine) 0.61" in told
    assert [line.split("|")[2].strip() for line in told.splitlines() if line.startswith("| ")] == [
        "1.53",
        "0.71",
        "0.12",
        "0.70",
    ]


@pytest.mark.parametrize("box", [Box(0, 0, 3, 40), Box(98, 30, 100, 80), Box(20, 79, 30, 80)])
def test_searching_on_from_a_sliver_takes_a_box_that_can_be_searched_for(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Pillow.new("RGB", (100, 80)).save(tmp_path / "cup.png")
    gallery: Any = SimpleNamespace(
        entry=lambda _: SimpleNamespace(width=100, height=80), file=lambda name: tmp_path / name
    )
    taken: list[Box] = []
    monkeypatch.setattr(result_grid, "search_with_file", lambda _, __, box: taken.append(box))
    search_from(gallery, "cup.png", box)
    (wider,) = taken
    assert min(wider.width, wider.height) >= SMALLEST_BOX
    assert wider == wider.clipped(100, 80)
    assert (wider.x0, wider.y0) <= (box.x0, box.y0) and wider.x1 >= box.x1 and wider.y1 >= box.y1
