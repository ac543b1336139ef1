"""Earlier generations on the Index page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from boxfind.engine import Engine
from boxfind.settings import Settings
from index.gallery import Gallery
from index.storage.generation import served_name
from retrieval.errors import IndexProblem
from tests.boxfind.ui.reading import buttons, calm, press, texts

USE, CONFIRM = "Use this one", "Check and use it"
Tab = Callable[[str], AppTest]


@pytest.fixture
def before(own_index: Path, pictures: Path) -> str:
    """The name of the generation before the served one."""
    name = served_name(own_index)
    Engine(Settings.load(gallery=pictures, index=own_index)).builds.build(lambda *_: None, full=True)
    assert served_name(own_index) != name
    return str(name)


def test_an_earlier_index_is_used_again_after_a_question(tab: Tab, own_index: Path, before: str, caplog: Any) -> None:
    caplog.set_level("INFO", "boxfind")
    page = tab("History")
    assert calm(page) and buttons(page).count(USE) == 1
    press(page, USE)
    assert calm(page) and served_name(own_index) != before
    press(page, CONFIRM)
    assert calm(page) and served_name(own_index) == before
    assert f"Roll-back to {before} requested by a visitor on this machine." in caplog.messages
    assert buttons(page.run()).count(USE) == 1  # the newer one, to come back to


def test_a_damaged_index_is_not_used(tab: Tab, own_index: Path, before: str) -> None:
    vectors = own_index / before / "vectors.npy"
    vectors.write_bytes(bytes(vectors.stat().st_size))
    page = tab("History")
    press(page, USE)
    press(page, CONFIRM)
    assert calm(page) and "is damaged and cannot be served" in texts(page, "error").replace("\\", "")
    assert served_name(own_index) != before


def test_an_index_that_cannot_be_opened_after_all_is_reported(
    tab: Tab, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, gallery = tab("History"), Engine.gallery

    def vanished(engine: Engine, newest: bool = False) -> Gallery:
        if newest:
            raise IndexProblem("The index is gone.")
        return gallery(engine)

    monkeypatch.setattr(Engine, "gallery", vanished)
    press(page, USE)
    press(page, CONFIRM)
    assert calm(page) and "The index is gone" in texts(page, "error")


def test_r48_rolling_back_checks_the_administrator_again(
    tab: Tab, own_index: Path, before: str, leave: Callable[[], None], caplog: Any
) -> None:
    page = tab("History")
    press(page, USE)
    leave()
    press(page, CONFIRM)
    assert served_name(own_index) != before
    assert "Only an administrator" in texts(page, "error") and caplog.messages[-1].startswith("Refused")
