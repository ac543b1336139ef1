"""The page of an empty gallery folder."""

from pathlib import Path

import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.collection_table import CollectionTable
from tests.boxfind.ui.reading import buttons, calm, press, texts
from tests.tiny import draw_picture


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: AppTest) -> Path:
    """An empty gallery that is served; the index would be next to it."""
    monkeypatch.setenv("BOXFIND_GALLERY", str(tmp_path / "pictures"))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path / "data"))
    (tmp_path / "pictures").mkdir()
    return tmp_path / "pictures"


@pytest.mark.usefixtures("here")
def test_an_empty_gallery_welcomes_the_administrator(app: AppTest, empty: Path, started: list[str]) -> None:
    (empty / "holiday.psd").write_bytes(b"8BPS" + bytes(100))
    app.run()
    assert calm(app) and "Welcome" in texts(app, "title") and not app.error and not started
    assert "1 Photoshop" in texts(app, "markdown") or "Photoshop" in texts(app, "markdown")
    assert "Add this folder" in buttons(app)


@pytest.mark.usefixtures("here")
def test_an_empty_collection_beside_others_says_which_one_it_is(
    app: AppTest, empty: Path, tmp_path: Path, started: list[str]
) -> None:
    (tmp_path / "attic").mkdir()
    CollectionTable(tmp_path / "data").add("Attic", [tmp_path / "attic"])
    app.query_params["collection"] = "Attic"
    app.run()
    assert calm(app) and texts(app, "title") == "Attic is empty" and not app.info and not started


@pytest.mark.usefixtures("here")
def test_dropped_pictures_start_the_collection(app: AppTest, empty: Path, started: list[str], tmp_path: Path) -> None:
    Pillow.fromarray(draw_picture(5)).save(tmp_path / "cup.png")
    data = (tmp_path / "cup.png").read_bytes()
    app.run()
    app.file_uploader[0].set_value([("cup.png", data, "image/png")])
    press(app, "Add to the gallery")
    assert calm(app) and started == ["build"]
    assert (empty / "cup.png").read_bytes() == data


@pytest.mark.usefixtures("here")
def test_copied_pictures_are_indexed_on_request(app: AppTest, empty: Path, started: list[str]) -> None:
    app.run()
    press(app, "I have copied pictures there: look again")
    assert calm(app) and started == ["build"]


def test_visitors_of_an_empty_gallery_see_no_controls(app: AppTest, empty: Path) -> None:
    app.run()
    assert calm(app) and "There is no index" in texts(app, "info") and not app.file_uploader
