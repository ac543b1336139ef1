"""The file menu of the closer view and the export of originals, for visitors and administrators."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import streamlit as st
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.fair_turns import FairTurns
from boxfind.ui import originals_download
from boxfind.ui.session import shared_engine
from retrieval.errors import Busy
from retrieval.types import Box
from tests.boxfind.ui.reading import HEIGHT, WIDTH, alts, choose, pick, texts

NAME = "03.png"
WHOLE = Box(0, 0, WIDTH, HEIGHT)
Download = Callable[[str], bytes]


@pytest.fixture
def opened(app: AppTest, pictures: Path) -> AppTest:
    """The Search page after a search."""
    app.run()
    choose(app, pictures / NAME, WHOLE)
    app.run()
    return app


def open_file_menu(app: AppTest) -> None:
    app.session_state["file menu"] = True
    pick(app, "results", "open", NAME)


def downloads(app: AppTest) -> dict[str, Any]:
    return {button.proto.label: button.proto for button in app.get("download_button")}


@pytest.fixture
def download(monkeypatch: pytest.MonkeyPatch) -> Download:
    """What the browser gets after a click on the button whose label starts so."""
    offered: dict[str, Callable[[], bytes]] = {}
    button = st.download_button

    def watched(label: str, data: Callable[[], bytes], *rest: Any, **more: Any) -> bool:
        offered[label] = data
        return button(label, data, *rest, **more)

    monkeypatch.setattr(st, "download_button", watched)
    return lambda start: next(data for label, data in offered.items() if label.startswith(start))()


def code(app: AppTest) -> str:
    return " ".join(str(element.value) for element in app.code)


def test_a_visitor_gets_a_jpeg_without_metadata_and_sees_no_path(opened: AppTest, pictures: Path) -> None:
    open_file_menu(opened)
    assert "320 x 240 pixels" in texts(opened, "caption")
    assert str(pictures) not in texts(opened, "caption") + texts(opened, "markdown") + code(opened)
    assert "Open folder" not in [button.label for button in opened.button]
    assert list(downloads(opened)) == ["Download picture"]


@pytest.mark.usefixtures("here")
def test_a_local_administrator_gets_the_file_its_path_and_its_folder(
    opened: AppTest, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: list[Path] = []
    monkeypatch.setattr("boxfind.ui.original_file.can_open_folders", lambda: True)
    monkeypatch.setattr("boxfind.ui.original_file.open_folder", files.append)
    open_file_menu(opened)
    assert str(pictures / NAME) in code(opened)
    assert list(downloads(opened)) == ["Download original"]
    opened.button(key="open folder").click().run()
    assert files == [pictures / NAME]


def test_an_administrator_elsewhere_gets_the_file_but_no_path(
    opened: AppTest, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boxfind.ui.original_file.current_admin", lambda: "ada")
    open_file_menu(opened)
    assert list(downloads(opened)) == ["Download original"] and str(pictures) not in code(opened)


def test_a_file_that_has_changed_cannot_be_downloaded(opened: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.gallery.Gallery.file", lambda *_: Path("/nowhere"))
    open_file_menu(opened)
    assert "cannot be opened any more" in texts(opened, "caption") and not downloads(opened)


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files that the browser was told to save."""
    files: dict[str, bytes] = {}
    monkeypatch.setattr("boxfind.ui.original_file.download", lambda data, name, mime: files.update({name: data}))
    return files


@pytest.mark.usefixtures("here")
def test_a_tile_downloads_the_original_of_an_administrator_once(
    opened: AppTest, pictures: Path, saved: dict[str, bytes]
) -> None:
    pick(opened, "results", "download", NAME)
    assert saved == {NAME: (pictures / NAME).read_bytes()} and len(alts(opened)) == 12
    saved.clear()
    opened.run()
    assert not saved


def test_a_tile_downloads_a_jpeg_for_a_visitor_or_says_why_not(
    opened: AppTest, saved: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    pick(opened, "results", "download", NAME)
    with Pillow.open(io.BytesIO(saved.pop("03.jpg"))) as jpeg:
        assert jpeg.format == "JPEG" and jpeg.size == (WIDTH, HEIGHT)
    monkeypatch.setattr("index.gallery.Gallery.file", lambda *_: Path("/nowhere"))
    pick(opened, "results", "download", NAME)
    assert not saved and "cannot be opened any more" in texts(opened, "toast")


@pytest.mark.usefixtures("here")
def test_the_export_menu_offers_originals_in_parts_and_refuses_too_many(
    opened: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.session_state["export"] = True
    opened.run()
    (label,) = [label for label in downloads(opened) if label.startswith("Originals")]
    assert label.endswith("kB)")
    monkeypatch.setattr("boxfind.ui.search.export_menu.is_stored", lambda *_: False)
    assert "Once the search is saved, its address lasts." in texts(opened.run(), "caption")
    size = shared_engine().gallery().entry(NAME).bytes
    monkeypatch.setattr("boxfind.export.originals.parts.__defaults__", (5 * size,))
    opened.run()
    assert next(label[:21] for label in downloads(opened) if label.startswith("Originals")) == "Originals, part 1 of "
    monkeypatch.setattr("boxfind.ui.originals_download.MOST_BYTES", size)
    opened.run()
    assert not [label for label in downloads(opened) if label.startswith("Originals")]
    assert "Choose fewer pictures" in texts(opened, "caption")


@pytest.mark.usefixtures("here")
def test_downloads_of_originals_are_logged(opened: AppTest, pictures: Path, download: Download, caplog: Any) -> None:
    caplog.set_level("INFO", "boxfind")
    open_file_menu(opened)
    assert "downloaded" not in caplog.text and download("Download original") == (pictures / NAME).read_bytes()
    assert caplog.messages[-1] == "The original of a picture was downloaded by a visitor on this machine."
    opened.session_state["export"] = True
    opened.run()
    with ZipFile(io.BytesIO(download("Originals"))) as archive:
        count = len(archive.namelist())
    assert caplog.messages[-1] == f"The originals of {count} pictures were downloaded by a visitor on this machine."
    assert "500.0 MB" in next(proto.help for label, proto in downloads(opened).items() if label.startswith("Originals"))


@pytest.mark.usefixtures("here")
def test_originals_are_packed_one_zip_file_at_a_time(
    opened: AppTest, download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.session_state["export"] = True
    opened.run()
    monkeypatch.setattr("boxfind.ui.originals_download.ZIPS", FairTurns(1, seconds=0.1))
    with originals_download.ZIPS.hold("192.0.2.1"), pytest.raises(Busy):
        download("Originals")
    assert download("Originals")


def test_visitors_cannot_export_originals_and_are_not_told_to_save(
    opened: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boxfind.ui.search.export_menu.is_stored", lambda *_: False)
    opened.session_state["export"] = True
    opened.run()
    assert "for 2 more hours" in texts(opened, "caption") and "Once the search is saved" not in texts(opened, "caption")
    assert "CSV" in downloads(opened) and not [label for label in downloads(opened) if "Original" in label]
