"""Checking the index, and asking why a picture is found or not, on the Index page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from index.storage.generation import current_folder
from tests.boxfind.ui.reading import calm, press, texts

CHECK = "Check the index"
Tab = Callable[[str], AppTest]


def said(app: AppTest, kind: str = "markdown") -> str:
    return texts(app, kind).replace("\\", "")


def test_an_intact_index_has_no_problems(tab: Tab) -> None:
    page = tab("Check")
    press(page, CHECK)
    assert calm(page) and said(page, "success") == "No problems found."


def test_a_damaged_file_is_found(tab: Tab, own_index: Path) -> None:
    page = tab("Check")
    vectors = current_folder(own_index) / "vectors.npy"
    vectors.write_bytes(bytes(vectors.stat().st_size))
    press(page, CHECK)
    assert calm(page) and "vectors.npy differs from what was written" in said(page, "warning")


def test_r48_checking_asks_for_the_administrator_again(tab: Tab, leave: Callable[[], None]) -> None:
    page = tab("Check")
    leave()
    press(page, CHECK)
    assert "Only an administrator" in said(page, "error") and not page.success


@pytest.mark.parametrize(
    ("asked", "says"),
    [("03.png", "03.png is in the index"), ("3.png", "Similar names in the index: 03.png"), ("", "")],
)
def test_a_picture_is_explained(tab: Tab, asked: str, says: str) -> None:
    page = tab("Find a picture")
    page.text_input(key="explain").set_value(asked).run()
    assert calm(page) and says in said(page)


def test_only_someone_at_this_machine_may_ask_about_other_folders(
    tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.txt").write_text("x")
    page = tab("Find a picture")
    page.text_input(key="explain").set_value(str(tmp_path / "secret.txt")).run()
    assert "is outside the gallery" in said(page)
    monkeypatch.setattr("boxfind.ui.administration.checks.is_local_admin", lambda: False)
    page.run()
    assert calm(page) and "There is no file" in said(page) and "outside" not in said(page)
