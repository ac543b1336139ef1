"""The pages, run without a browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from engine import Engine
from index.gallery import Gallery
from retrieval.confidence import NO_MATCH
from retrieval.types import Box, Hit, Image
from settings import Settings
from ui.session import Drawing, Picture

APP = Path(__file__).parents[2] / "app.py"
WIDTH, HEIGHT = 320, 240


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, draw: Any) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(12):
        Pillow.fromarray(draw(number, WIDTH, HEIGHT)).save(folder / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="module")
def index(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    Engine(Settings(gallery=pictures, index=folder)).build(lambda *_: None)
    return folder


@pytest.fixture
def app(pictures: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv("BOXFIND_GALLERY", str(pictures))
    monkeypatch.setenv("BOXFIND_INDEX", str(index))
    st.cache_resource.clear()
    st.cache_data.clear()
    yield AppTest.from_file(str(APP), default_timeout=60)
    st.cache_resource.clear()


def texts(app: AppTest, kind: str) -> str:
    return " ".join(str(element.value) for element in app.get(kind))


def alts(app: AppTest) -> list[str]:
    return [image.alt for element in app.get("image") for image in element.proto.imgs]


def choose(app: AppTest, picture: Path, box: Box | None = None) -> Picture:
    chosen = Picture(picture.name, picture.read_bytes())
    app.session_state["picture"] = chosen
    app.session_state["drawing"] = Drawing(box, box)
    return chosen


def draw_on_canvas(app: AppTest, key: str, *boxes: tuple[float, float, float, float]) -> None:
    objects = [
        {"type": "LabeledRect", "left": x, "top": y, "width": w, "height": h, "scaleX": 1, "scaleY": 1}
        for x, y, w, h in boxes
    ]
    app.session_state[key] = {"drawing": {"raw": {"objects": objects}, "data": None}, "backgroundFit": None}


def test_without_a_picture_the_page_says_what_to_do(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert "Choose a picture" in texts(app, "info")


def test_a_drawn_box_brings_ten_tiles_and_the_picture_itself_comes_first(app: AppTest, pictures: Path) -> None:
    picture = choose(app, pictures / "03.png")
    draw_on_canvas(app, f"canvas-{picture.key}-0", (10, 10, 430, 320))
    app.run()
    assert not app.exception
    found = alts(app)
    assert len(found) == 10
    assert found[0].startswith("Rank 1: 03.png, likely match")


def test_the_choice_of_ranking_reaches_the_search_and_stays_over_pictures_and_pages(
    app: AppTest, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, search = [], Engine.search

    def overheard(engine: Engine, gallery: Gallery, image: Image, box: Box, top: int, ranking: str) -> list[Hit]:
        asked.append(ranking)
        return search(engine, gallery, image, box, top, ranking)

    monkeypatch.setattr(Engine, "search", overheard)
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    app.segmented_control(key="ranking").select("fast").run()
    app.segmented_control(key="ranking").select("best").run()  # remembered
    assert asked == ["best", "fast"]
    app.segmented_control(key="ranking").select("fast").run()
    choose(app, pictures / "04.png")
    app.run()
    app.switch_page("pages/gallery.py").run()
    app.switch_page("pages/search.py")
    choose(app, pictures / "05.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    assert not app.exception
    assert asked == ["best", "fast", "fast"]


def test_every_tile_says_how_sure_it_is_and_why(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    labels = [popover.proto.popover.label for popover in app.get("popover")]
    assert len(labels) == 10
    assert all(
        re.fullmatch(r":(green|orange|gray)-badge\[.*(likely|possible|unlikely)\] -?\d\.\d\d", x) for x in labels
    )
    assert labels[0].startswith(":green-badge[") and labels[0].endswith(" 1.00")
    assert texts(app, "markdown").count("| Ranking score |") == 10
    assert "The 10 best" in texts(app, "header")
    assert NO_MATCH not in texts(app, "info")


def test_an_object_that_is_in_no_picture_is_told_and_the_nearest_are_shown_all_the_same(
    app: AppTest, tmp_path: Path
) -> None:
    rings = np.hypot(*np.meshgrid(np.arange(WIDTH) - 150, np.arange(HEIGHT) - 110))
    picture = np.stack([128 + 127 * np.sin(rings / spread) for spread in (3, 5, 7)], axis=2)
    Pillow.fromarray(picture.astype(np.uint8)).save(tmp_path / "rings.png")
    choose(app, tmp_path / "rings.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    assert not app.exception
    assert "Nearest look-alikes" in texts(app, "header")
    assert NO_MATCH in texts(app, "info")
    assert len(alts(app)) == 10 and all("unlikely match" in alt for alt in alts(app))


def test_the_box_can_be_set_by_numbers(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "05.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    app.number_input(key="box Left").set_value(40)
    app.run()
    assert not app.exception
    assert app.session_state["drawing"].box == Box(40, 0, WIDTH, HEIGHT)
    assert len(alts(app)) == 10


def test_whole_picture_and_clear(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "07.png")
    app.run()
    next(button for button in app.button if button.label == "Whole picture").click()
    app.run()
    assert alts(app)[0].startswith("Rank 1: 07.png")
    next(button for button in app.button if button.label == "Clear").click()
    app.run()
    assert not alts(app)
    assert "Draw a box" in texts(app, "info")


def test_searching_from_a_result_makes_its_box_the_query(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "07.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    second = alts(app)[1].removeprefix("Rank 2: ").split(",")[0]
    app.button(key=f"from {second}").click()
    app.run()
    assert not app.exception
    assert app.session_state["picture"].name == second
    assert app.session_state["drawing"].box is not None
    assert alts(app)[0].startswith(f"Rank 1: {second}")


def test_an_unreadable_picture_is_a_sentence(app: AppTest, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"this is no picture")
    choose(app, broken)
    app.run()
    assert not app.exception
    assert "is not a picture in a known format" in texts(app, "error").replace("\\", "")


def test_an_upload_becomes_the_query_and_takes_no_box_over(app: AppTest, pictures: Path) -> None:
    choose(app, pictures / "07.png", Box(0, 0, 100, 100))
    app.run()
    app.file_uploader(key="upload").set_value(("mine.png", (pictures / "02.png").read_bytes(), "image/png"))
    app.run()
    assert not app.exception
    assert app.session_state["picture"].name == "mine.png"
    assert app.session_state["drawing"].box is None
    assert not alts(app)


def test_a_box_moved_on_the_canvas_and_back_is_the_one_that_was_typed_in(app: AppTest, pictures: Path) -> None:
    picture = choose(app, pictures / "07.png")
    typed = Box(41, 61, 203, 179)
    app.session_state["drawing"] = Drawing(Box(0, 0, 100, 100), typed)
    x, y, w, h = (side * 460 / WIDTH for side in typed.xywh)
    draw_on_canvas(app, f"canvas-{picture.key}-0", (x + 1, y - 1, w, h))
    app.run()
    assert app.session_state["drawing"].box == typed


def test_a_box_with_nothing_in_it_draws_no_tiles(app: AppTest, pictures: Path) -> None:
    picture = choose(app, pictures / "03.png")
    draw_on_canvas(app, f"canvas-{picture.key}-0", (100, 100, 3, 3))
    app.run()
    assert not app.exception
    assert not alts(app)


def test_the_gallery_page_shows_everything_and_hands_a_picture_over(app: AppTest) -> None:
    app.run()
    app.switch_page("pages/gallery.py").run()
    assert not app.exception
    assert alts(app) == [f"{number:02d}.png" for number in range(12)]
    app.button(key="with 04.png").click()
    app.run()
    assert app.session_state["picture"].name == "04.png"


def test_the_sidebar_tells_what_is_searched(app: AppTest, pictures: Path) -> None:
    app.run()
    words = texts(app.sidebar, "markdown")
    counts = Engine(Settings()).gallery().manifest.counts
    assert "**12** pictures" in words and f"**{counts.regions:,}** regions" in words
    assert str(pictures) in texts(app.sidebar, "text")


@pytest.mark.parametrize("name", ["CURRENT", "gen-000009-abcd"])
def test_a_gallery_whose_index_cannot_be_used_says_so(
    app: AppTest, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "CURRENT").write_text(name)
    state = {"state": "failed", "pid": 1, "started": 0, "stage_started": 0, "now": 0, "message": "The disk was full."}
    (tmp_path / "build.json").write_text(json.dumps(state))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path))
    app.run()
    assert not app.exception
    assert "The disk was full" in texts(app, "error")
    assert any(button.label == "Build the index" for button in app.button)


def test_an_index_of_an_earlier_version_is_built_anew_with_one_click(
    app: AppTest, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Engine(Settings(gallery=pictures, index=tmp_path)).build(lambda *_: None)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["null"]
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path))
    started: list[str] = []
    monkeypatch.setattr(Engine, "start_build", lambda engine: started.append("build"))
    app.run()
    assert not app.exception
    assert folder.name in texts(app, "error").replace("\\", "")
    next(button for button in app.button if button.label == "Build the index").click().run()
    assert started == ["build"]


def test_a_page_that_may_not_build_neither_starts_a_build_nor_offers_one(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "none"))
    monkeypatch.setenv("BOXFIND_REBUILD", "0")
    app.run()
    assert not app.exception
    assert "There is no index" in texts(app, "error")
    assert not app.button
    assert not (tmp_path / "none").exists()


def test_an_index_of_another_recipe_can_be_browsed_but_not_searched(
    app: AppTest, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(Settings(gallery=pictures, index=tmp_path))
    folder = engine.build(lambda *_: None)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["recipe"]["weights_sha256"] = "f" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path))
    choose(app, pictures / "03.png", Box(0, 0, WIDTH, HEIGHT))
    app.run()
    assert not app.exception
    assert "Rebuild the index" in texts(app, "error")
    app.switch_page("pages/gallery.py").run()
    assert len(alts(app)) == 12
