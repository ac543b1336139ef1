"""Adding pictures on the Gallery page, by administrators and by visitors who are refused."""

import io
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from PIL import Image as Pillow
from streamlit.runtime.scriptrunner import StopException
from streamlit.testing.v1 import AppTest

from boxfind.builds import Builds
from boxfind.engine import Engine
from boxfind.ui.administration import add_pictures
from boxfind.ui.administration.add_pictures import TOP
from boxfind.visitor_pictures import VisitorPictures
from index.building.jobs import BuildState
from index.operations.add_images import ADDED, ImageAdder
from retrieval.errors import Busy, DiskFull, IndexProblem
from retrieval.images.decode import LoadedImage, decode_picture
from tests.boxfind.ui.administration.conftest import STRANGER
from tests.boxfind.ui.reading import buttons, calm, press, texts
from tests.tiny import draw_picture

ADD, TAB = "Add to the gallery", "Add pictures"


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(draw_picture(seed)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def gallery(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A writable copy of the twelve pictures, served with their index."""
    monkeypatch.setenv("BOXFIND_GALLERY", str(tmp_path / "gallery"))
    return shutil.copytree(pictures, tmp_path / "gallery")


@pytest.fixture
def page(app: AppTest, gallery: Path, here: None) -> AppTest:
    """The Add pictures tab of an administrator."""
    app.run()
    app.switch_page("pages/gallery.py")
    app.session_state["gallery tab"] = TAB
    app.run()
    assert calm(app)
    return app


def choose(app: AppTest, *files: tuple[str, bytes]) -> None:
    app.file_uploader[0].set_value([(name, data, "image/png") for name, data in files])


def add(app: AppTest, *files: tuple[str, bytes]) -> None:
    choose(app, *files)
    press(app, ADD)


def added(gallery: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (gallery / ADDED).glob("*")}


def told(app: AppTest, kind: str) -> str:
    return texts(app, kind).replace("\\", "")


def state(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    known = BuildState.model_validate({"state": name, "pid": 41, "started": 1.0, "stage_started": 1.0, "now": 2.0})
    monkeypatch.setattr(Builds, "state", lambda _: known)


def test_readable_pictures_are_added_unchanged_and_indexed(
    page: AppTest, gallery: Path, asked: list[str], caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "boxfind")
    again = (gallery / "03.png").read_bytes()
    add(page, ("new.png", png(90)), ("notes.png", b"shopping list"), ("other.png", png(91)), ("again.png", again))
    assert calm(page) and asked == ["build"]
    assert added(gallery) == {"new.png": png(90), "other.png": png(91)}
    said = told(page, "warning")
    assert said.startswith("2 pictures added") and said.count("\n- ") == 2
    assert "notes.png is not a picture" in said and "again.png is already in the gallery, as 03.png" in said
    assert caplog.messages == [
        "2 of 4 files added to the gallery by a visitor on this machine.",
        "Build requested by a visitor on this machine.",
    ]


def test_the_upload_report_stays_until_the_next_upload(
    page: AppTest, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state(monkeypatch, "done")
    add(page, ("new.png", png(90)))
    assert told(page, "success") == "1 picture added."
    state(monkeypatch, "running")
    page.run()
    assert told(page, "success") == "1 picture added. The index is being updated."
    choose(page, ("new.png", png(90)))
    state(monkeypatch, "done")
    press(page, ADD)
    assert not texts(page, "success") and told(page, "warning").startswith("No pictures added")
    assert asked == ["build"]


def test_r65_a_file_that_is_refused_does_not_stop_the_others(
    page: AppTest, gallery: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_: Engine, data: bytes, name: str) -> LoadedImage:
        if name == "late.png":
            raise Busy("Too many pictures are being decoded; try again in a moment.")
        return decode_picture(data, name)

    monkeypatch.setattr(VisitorPictures, "read", read)
    (gallery / ".boxfindignore").write_text("draft.png")
    add(page, ("draft.png", png(90)), ("late.png", png(91)), ("new.png", png(92)))
    assert calm(page) and asked == ["build"] and added(gallery) == {"new.png": png(92)}
    said = told(page, "warning")
    assert said.startswith("1 picture added") and said.count("\n- ") == 2
    assert "added/draft.png would be left out of the index" in said and "Too many pictures" in said


@pytest.mark.usefixtures("asked")
def test_the_report_warns_if_a_running_build_may_miss_files(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    state(monkeypatch, "running")
    add(page, ("new.png", png(90)))
    assert "press Update index when it is done" in told(page, "success")


def test_a_visitor_sees_neither_tab_nor_field(app: AppTest, gallery: Path) -> None:
    app.run()
    app.switch_page("pages/gallery.py").run()
    assert calm(app) and [tab.label for tab in app.tabs] == ["Pictures", "Duplicates"]
    assert not app.file_uploader and ADD not in buttons(app)


def test_a_click_after_logging_out_adds_nothing(
    page: AppTest, gallery: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(page, ("new.png", png(90)))
    monkeypatch.setattr("boxfind.ui.authorization.visitor", lambda: STRANGER)
    press(page, ADD)
    assert calm(page) and not asked and not (gallery / ADDED).exists()
    assert ADD not in buttons(page) and [tab.label for tab in page.tabs] == ["Pictures", "Duplicates"]


def test_adding_checks_the_administrator_again(
    page: AppTest, gallery: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """The action checks the visitor even if the page shows the button."""
    choose(page, ("new.png", png(90)))
    monkeypatch.setattr("boxfind.ui.authorization.is_admin", lambda: True)
    monkeypatch.setattr("boxfind.ui.authorization.visitor", lambda: STRANGER)
    press(page, ADD)
    assert calm(page) and not asked and not (gallery / ADDED).exists()
    assert "Only an administrator" in texts(page, "error") and caplog.messages[-1].startswith("Refused")


def test_a_full_disk_ends_the_upload_and_added_files_are_indexed(
    page: AppTest, gallery: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take = ImageAdder.take

    def fills_up(adder: ImageAdder, name: str, data: bytes) -> str:
        if name == "b.png":
            raise DiskFull("There is no more room for b.png.")
        return take(adder, name, data)

    monkeypatch.setattr(ImageAdder, "take", fills_up)
    add(page, *((f"{letter}.png", png(90 + n)) for n, letter in enumerate("abcd")))
    assert calm(page) and asked == ["build"] and added(gallery) == {"a.png": png(90)}
    said = told(page, "warning")
    assert said.startswith("1 picture added") and "no more room for b.png. 3 of 4 files not added." in said


def test_leaving_the_page_during_an_upload_still_starts_the_build(
    page: AppTest, gallery: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take = ImageAdder.take

    def leave(adder: ImageAdder, name: str, data: bytes) -> str:
        if name == "b.png":
            raise StopException
        return take(adder, name, data)

    monkeypatch.setattr(ImageAdder, "take", leave)
    add(page, ("a.png", png(90)), ("b.png", png(91)))
    assert asked == ["build"] and list(added(gallery)) == ["a.png"]
    assert told(page.run(), "success") == "1 picture added."


def test_a_build_that_cannot_start_is_reported(page: AppTest, gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise IndexProblem("The build cannot be started: Permission denied.")

    monkeypatch.setattr(add_pictures, "start_build", refused)
    add(page, ("new.png", png(90)))
    assert calm(page) and "The build cannot be started" in told(page, "error") and list(added(gallery)) == ["new.png"]


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("../../evil.png", "evil.png"),
        ("C:\\Users\\x.png", "C-Users-x.png"),
        ("<img src=x onerror=alert(1)>.png", "img src=x onerror=alert(1).png"),
        ("two\nlines.png", "two lines.png"),
        (".hidden.png", "hidden.png"),
        ("CON.png", "_CON.png"),
        ("a" * 5000 + ".png", "a" * 75 + ".png"),
    ],
)
def test_hostile_names_become_plain_files_in_their_folder(page: AppTest, gallery: Path, name: str, file: str) -> None:
    before = sorted(gallery.parent.rglob("*"))
    add(page, (name, png(90)))
    assert calm(page) and added(gallery) == {file: png(90)}
    assert sorted(gallery.parent.rglob("*")) == sorted([*before, gallery / ADDED, gallery / ADDED / file])


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(("folder", "place"), [("The gallery folder itself", TOP), (ADDED, ADDED), ("", ADDED)])
def test_pictures_go_to_the_chosen_folder(page: AppTest, gallery: Path, folder: str, place: str) -> None:
    if folder:
        page.selectbox[0].select(folder)
    add(page, ("new.png", png(90)))
    assert calm(page) and (gallery / place / "new.png").read_bytes() == png(90)


@pytest.mark.usefixtures("asked")
def test_pictures_go_to_a_folder_that_was_typed(page: AppTest, gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    type_folder(monkeypatch, " holidays/2024/ ")
    add(page, ("new.png", png(90)))
    assert calm(page) and (gallery / "holidays" / "2024" / "new.png").read_bytes() == png(90)


def type_folder(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """AppTest cannot type a new option."""
    monkeypatch.setattr(st, "selectbox", lambda *_, **__: name)


@pytest.mark.parametrize(
    "folder", ["../outside", "a/../../b", ".hidden", "a//b", "CON", "C:\\x", "x\0y", "a/" * 20 + "a"]
)
def test_a_folder_outside_the_gallery_or_without_a_valid_name_is_refused(
    page: AppTest, gallery: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    before = sorted(gallery.parent.rglob("*"))
    type_folder(monkeypatch, folder)
    add(page, ("new.png", png(90)))
    assert calm(page) and "is not a valid folder" in told(page, "error") and not asked
    assert sorted(gallery.parent.rglob("*")) == before


@pytest.mark.usefixtures("asked")
def test_only_some_of_many_rejected_files_are_named(page: AppTest) -> None:
    add(page, *((f"{number}.png", b"nothing") for number in range(25)))
    said = told(page, "warning")
    assert said.startswith("No pictures added. Not added:") and said.endswith("- and 5 more")
    assert said.count("\n- ") == add_pictures.MOST + 1
