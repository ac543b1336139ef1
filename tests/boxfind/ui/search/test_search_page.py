"""The Search page, run without a browser."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.engine import Engine
from boxfind.fair_turns import FairTurns
from boxfind.settings import Settings
from boxfind.ui.search import result_order, results
from index.gallery import Gallery
from retrieval.ranking.confidence import NO_MATCH
from retrieval.request import Request
from retrieval.types import Box, Hit, Image
from tests.boxfind.ui.reading import (
    HEIGHT,
    WIDTH,
    alts,
    buttons,
    calm,
    choose,
    draw,
    on_canvas,
    pick,
    press,
    put_on_canvas,
    shown_name,
    texts,
    tiles_of,
)


def test_without_a_picture_the_page_says_what_to_do(app: AppTest) -> None:
    app.run()
    assert calm(app)
    assert "choose a picture" in texts(app, "info")


@pytest.mark.parametrize(("name", "value"), [("GALERY", "/pictures"), ("SIDE", "9")])
def test_an_invalid_setting_is_shown_instead_of_the_page(app, monkeypatch, name, value) -> None:
    monkeypatch.setenv(f"BOXFIND_{name}", value)
    app.run()
    assert not app.exception and not app.header
    (error,) = app.error
    assert error.value.startswith("Boxfind cannot start") and "BOXFIND" not in error.value
    monkeypatch.setenv("BOXFIND_ADMIN", "local")
    (error,) = app.run().error
    assert "BOXFIND" in error.value


def test_a_drawn_box_finds_its_own_picture_first(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png")
    app.run()
    draw(app, Box(7, 7, 306, 230))
    assert calm(app)
    found = alts(app)
    assert len(found) == 12
    assert found[0].startswith("Rank 1: 03.png, likely match")


def test_r63_searches_of_a_page_take_turns_by_address(app: AppTest, pictures: Path, monkeypatch: Any) -> None:
    clients, answer = [], Engine.answer

    def heard(engine: Engine, gallery: Gallery, request: Request, images: Any, top: int, client: str) -> list[Hit]:
        clients.append(client)
        return answer(engine, gallery, request, images, top, client)

    monkeypatch.setattr(Engine, "answer", heard)
    monkeypatch.setattr("boxfind.ui.session.visiting_client", lambda: "192.0.2.1")
    monkeypatch.setattr("boxfind.engine.FairTurns", lambda *_, **__: FairTurns(0, waiting=0))
    choose(app, pictures / "03.png", Box(7, 7, 306, 230))
    app.run()
    assert clients[-1] == "192.0.2.1" and "busy" in texts(app, "error") and not alts(app)


def test_the_ranking_choice_is_used_and_kept_across_pictures_and_pages(
    app: AppTest, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = [], Engine.answer

    def overheard(
        engine: Engine, gallery: Gallery, request: Request, images: dict[str, Image], top: int, *_: str
    ) -> list[Hit]:
        asked.append(request.ranking)
        return answer(engine, gallery, request, images, top)

    monkeypatch.setattr(Engine, "answer", overheard)
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    ranking(app).select("fast").run()
    ranking(app).select("best").run()  # cached
    assert asked == ["best", "fast"]
    ranking(app).select("fast").run()
    app.switch_page("pages/gallery.py").run()
    pick(app, "gallery", "object", "05.png")
    app.switch_page("pages/search.py").run()
    press(app, "Whole picture")
    assert calm(app)
    assert asked == ["best", "fast", "fast"]


def ranking(app: AppTest) -> Any:
    return next(choice for choice in app.segmented_control if choice.label == "Ranking")


def test_stale_browser_values_change_nothing(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", Box(10, 10, 200, 150))
    app.run()
    behind = app._tree.get_widget_states()
    choose(app, pictures / "05.png")
    app.session_state["search"].set_options(replace(app.session_state["search"].request, ranking="fast"))
    app.run()
    app._run(behind)
    assert calm(app)
    state = app.session_state["search"]
    assert state.boxes == [] and state.request.ranking == "fast"
    assert ranking(app).value == "fast" and [field.value for field in app.number_input] == [0, 0, WIDTH, HEIGHT]


def test_every_tile_shows_its_confidence_and_the_meaning(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    shown = tiles_of(app, "results")
    assert len(shown) == 12 and all(tile.badge and tile.help for tile in shown)
    assert shown[0].tone == "good" and len(shown[0].outlines) == 1
    assert NO_MATCH not in texts(app, "markdown")


def test_without_a_confident_match_the_nearest_look_alikes_are_shown(app: AppTest, tmp_path: Path) -> None:
    rings = np.hypot(*np.meshgrid(np.arange(WIDTH) - 150, np.arange(HEIGHT) - 110))
    picture = np.stack([128 + 127 * np.sin(rings / spread) for spread in (3, 5, 7)], axis=2)
    Pillow.fromarray(picture.astype(np.uint8)).save(tmp_path / "rings.png")
    choose(app, tmp_path / "rings.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    assert calm(app)
    assert NO_MATCH in texts(app, "markdown")
    assert len(alts(app)) == 12 and all("unlikely match" in alt for alt in alts(app))
    assert {tile.section for tile in tiles_of(app, "results")} == {"Nearest look-alikes"}


def test_the_box_can_be_set_by_coordinates(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "05.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    for value in (40, 50):
        next(field for field in app.number_input if field.label.startswith("Left")).set_value(value).run()
        assert calm(app)
        assert app.session_state["search"].boxes == [Box(value, 0, WIDTH, HEIGHT)]
    assert len(alts(app)) == 12


def test_whole_picture_and_clear(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "07.png")
    app.run()
    press(app, "Whole picture")
    assert alts(app)[0].startswith("Rank 1: 07.png")
    press(app, "Clear")
    assert not alts(app)
    assert "Drag a box" in texts(app, "caption")


def test_searching_from_a_result_makes_its_box_the_query(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "07.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    second = alts(app)[1].removeprefix("Rank 2: ").split(",")[0]
    pick(app, "results", "search", second)
    assert calm(app)
    assert shown_name(app) == second
    assert len(app.session_state["search"].boxes) == 1
    assert alts(app)[0].startswith(f"Rank 1: {second}")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(b"", "broken.jpg is empty", id="r01_empty"),
        pytest.param(b"this is no picture", "is not a picture in a supported format", id="r03_random"),
        pytest.param(b"%PDF-1.7\n", "is damaged and cannot be opened as a PDF", id="r05_pdf"),
    ],
)
def test_r01_r03_r05_an_unreadable_picture_shows_a_message(
    app: AppTest, tmp_path: Path, data: bytes, sentence: str
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(data)
    choose(app, broken)
    app.run()
    assert calm(app)
    assert sentence in texts(app, "error").replace("\\", "")
    assert "Whole picture" not in buttons(app)


def test_an_upload_becomes_the_query_without_a_box(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "07.png", Box(0, 0, 100, 100))
    app.run()
    app.file_uploader(key="upload 0").set_value(("mine.png", (pictures / "02.png").read_bytes(), "image/png"))
    app.run()
    assert calm(app)
    assert shown_name(app) == "mine.png"
    assert app.session_state["search"].boxes == []
    assert not alts(app)
    (field,) = app.get("file_uploader")
    assert field.value is None  # it does not go on showing a picture that may no longer be searched


def test_a_box_set_elsewhere_is_on_the_canvas(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "07.png", Box(41, 61, 203, 179))
    app.run()
    assert on_canvas(app)["boxes"] == [[41, 61, 203, 179]]
    press(app, "Whole picture")
    assert on_canvas(app)["boxes"] == [[0, 0, WIDTH, HEIGHT]]


def test_a_drawn_box_and_its_results_survive_a_change_of_page(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png")
    app.run()
    draw(app, Box(20, 30, 200, 180))
    found = alts(app)
    app.switch_page("pages/gallery.py").run()
    app.switch_page("pages/search.py").run()
    assert on_canvas(app)["boxes"] == [[20, 30, 200, 180]]
    assert len(found) == 12 and alts(app) == found


def test_boxes_of_another_picture_are_ignored(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png")
    app.run()
    late = {"picture": on_canvas(app)["picture"], "boxes": [[20, 30, 200, 180]], "edit": 1}
    choose(app, pictures / "05.png")
    app.run()
    put_on_canvas(app, late)
    assert calm(app) and app.session_state["search"].boxes == []


def test_a_new_box_replaces_the_others_unless_several_are_wanted(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png")
    app.run()
    one, other = Box(20, 30, 100, 90), Box(120, 30, 200, 90)
    draw(app, one, other)
    assert app.session_state["search"].boxes == [other]
    app.session_state["search"].set_several(True)
    app.run()
    draw(app, other, one)
    assert app.session_state["search"].boxes == [other, one]
    assert on_canvas(app)["numbers"] == [1, 2] and on_canvas(app)["several"]


def test_what_stands_out_is_marked_by_dots_inside_the_picture(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png")
    app.run()
    dots = on_canvas(app)["dots"]
    assert dots and all(0 <= x0 < x1 <= WIDTH and 0 <= y0 < y1 <= HEIGHT for x0, y0, x1, y1 in dots)


def test_the_gallery_page_shows_all_pictures_and_sends_one_to_search(app: AppTest) -> None:
    app.run()
    app.switch_page("pages/gallery.py").run()
    assert calm(app)
    assert alts(app, "gallery") == [f"{number:02d}.png" for number in range(12)]
    pick(app, "gallery", "object", "04.png")
    assert shown_name(app) == "04.png"


def test_the_sidebar_shows_the_index_facts(app: AppTest) -> None:
    app.run()
    words = texts(app.sidebar, "markdown")
    counts = Engine(Settings.load()).gallery().manifest.counts
    assert "**12 pictures**" in words and f"**{counts.regions:,} regions**" in words


def test_two_coordinates_changed_before_a_rerun_are_both_kept(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", Box(0, 0, 100, 100))
    app.run()
    fields = {field.label: field for field in app.number_input}
    fields["Left (pixels)"].set_value(20)
    fields["Top (pixels)"].set_value(30)
    app.run()
    assert calm(app)
    assert [(field.label, field.value) for field in app.number_input][:2] == [
        ("Left (pixels)", 20),
        ("Top (pixels)", 30),
    ]


def test_fit_without_a_box_does_nothing(app: AppTest, pictures: Path) -> None:
    """A browser may send a click on a button that was enabled when it was drawn."""
    choose(app, pictures / "03.png", Box(0, 0, 100, 100))
    app.run()
    fit = next(button for button in app.button if button.label == "Fit")
    app.session_state["search"].draw([])
    fit.click().run()
    assert calm(app)


def test_matches_are_counted_and_come_before_the_heading_of_the_others(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    shown = tiles_of(app, "results")
    matches = [tile for tile in shown if not tile.section]
    assert 0 < len(matches) < len(shown) and shown[: len(matches)] == matches
    assert {tile.section for tile in shown[len(matches) :]} == {"Less likely"}
    assert all(tile.tone in ("good", "fair") for tile in matches)
    likely = sum(tile.tone == "good" for tile in matches)
    assert f"**{likely} likely" in texts(app, "markdown")
    assert [tile.title.split()[0] for tile in shown] == [str(rank) for rank in range(1, 13)]


def test_the_filter_can_leave_only_likely_results(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.session_state["only likely"] = True
    app.run()
    assert calm(app)
    shown = tiles_of(app, "results")
    assert shown and all(tile.tone == "good" for tile in shown)
    assert f"{12 - len(shown)} results hidden by the filter" in texts(app, "caption")
    press(app, "Show all results")
    assert len(tiles_of(app, "results")) == 12 and "hidden by the filter" not in texts(app, "caption")


def test_near_copies_are_stacked_unless_shown_singly(
    app: AppTest, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_order, "is_match", lambda hit: True)
    monkeypatch.setattr(results, "is_match", lambda hit: True)
    monkeypatch.setattr(results, "near_identical_among", lambda gallery, images: [images[4:7]])
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    tiles = tiles_of(app, "results")
    assert [tile.stack for tile in tiles] == [""] * 5 + [tiles[4].name] * 2 + [""] * 5
    app.session_state["copies singly"] = True
    app.run()
    assert calm(app)
    assert not any(tile.stack for tile in tiles_of(app, "results"))


def test_a_mark_is_counted_in_the_status(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    pick(app, "results", "right", "03.png")
    assert "1 right, 0 wrong" in texts(app, "caption")
