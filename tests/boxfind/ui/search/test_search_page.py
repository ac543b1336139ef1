"""The Search page, run without a browser."""

import re
from dataclasses import replace
from multiprocessing.spawn import get_preparation_data
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.engine import Engine
from boxfind.settings import Settings
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
    canvas_of,
    choose,
    draw_on_canvas,
    pick,
    press,
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


def test_processes_started_by_a_page_do_not_run_the_page(app: AppTest) -> None:
    app.run()
    assert "init_main_from_path" not in get_preparation_data("a decoder")


def test_a_drawn_box_finds_its_own_picture_first(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png")
    draw_on_canvas(app, canvas_of(app), (10, 10, 430, 320))
    app.run()
    assert calm(app)
    found = alts(app)
    assert len(found) == 10
    assert found[0].startswith("Rank 1: 03.png, likely match")


def test_the_ranking_choice_is_used_and_kept_across_pictures_and_pages(
    app: AppTest, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = [], Engine.answer

    def overheard(engine: Engine, gallery: Gallery, request: Request, images: dict[str, Image], top: int) -> list[Hit]:
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
    assert len(shown) == 10 and all(
        tile.badge and tile.help and re.fullmatch(r"-?\d\.\d\d", tile.note) for tile in shown
    )
    assert shown[0].tone == "good" and shown[0].note == "1.00" and len(shown[0].outlines) == 1
    assert NO_MATCH not in texts(app, "info")


def test_without_a_confident_match_the_nearest_look_alikes_are_shown(app: AppTest, tmp_path: Path) -> None:
    rings = np.hypot(*np.meshgrid(np.arange(WIDTH) - 150, np.arange(HEIGHT) - 110))
    picture = np.stack([128 + 127 * np.sin(rings / spread) for spread in (3, 5, 7)], axis=2)
    Pillow.fromarray(picture.astype(np.uint8)).save(tmp_path / "rings.png")
    choose(app, tmp_path / "rings.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    assert calm(app)
    assert "Nearest look-alikes" in texts(app, "header")
    assert NO_MATCH in texts(app, "info")
    assert len(alts(app)) == 10 and all("unlikely match" in alt for alt in alts(app))


def test_the_box_can_be_set_by_coordinates(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "05.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    for value in (40, 50):
        next(field for field in app.number_input if field.label.startswith("Left")).set_value(value).run()
        assert calm(app)
        assert app.session_state["search"].boxes == [Box(value, 0, WIDTH, HEIGHT)]
    assert len(alts(app)) == 10


def test_whole_picture_and_clear(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "07.png")
    app.run()
    press(app, "Whole picture")
    assert alts(app)[0].startswith("Rank 1: 07.png")
    press(app, "Clear")
    assert not alts(app)
    assert "Drag a box" in texts(app, "info")


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
        pytest.param(b"%PDF-1.7\n", "is not a picture in a supported format", id="r05_pdf"),
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
    app.file_uploader(key="upload").set_value(("mine.png", (pictures / "02.png").read_bytes(), "image/png"))
    app.run()
    assert calm(app)
    assert shown_name(app) == "mine.png"
    assert app.session_state["search"].boxes == []
    assert not alts(app)


def test_a_canvas_box_near_typed_coordinates_keeps_them(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "07.png")
    typed = Box(41, 61, 203, 179)
    app.session_state["search"].draw([typed])
    x, y, w, h = (side * 460 / WIDTH for side in typed.xywh)
    draw_on_canvas(app, canvas_of(app), (x + 1, y - 1, w, h))
    app.run()
    assert app.session_state["search"].boxes == [typed]


def test_a_tiny_box_finds_nothing(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png")
    draw_on_canvas(app, canvas_of(app), (100, 100, 3, 3))
    app.run()
    assert calm(app)
    assert not alts(app)


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
