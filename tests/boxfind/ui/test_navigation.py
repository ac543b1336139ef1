"""The menu at the top: which pages a visitor may open."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.boxfind.ui.reading import calm

EVERYONE = ["Search", "Gallery", "Catalogue", "Evaluate"]


@pytest.fixture
def menu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The titles in the menu of the last run."""
    titles: list[str] = []
    navigation = st.navigation

    def watched(pages: list[st.Page], position: str) -> st.Page:
        assert position == "top"
        titles[:] = [page.title for page in pages if page.visibility == "visible"]
        return navigation(pages, position="top")

    monkeypatch.setattr(st, "navigation", watched)
    return titles


def test_visitors_see_the_pages_for_everyone(app: AppTest, menu: list[str]) -> None:
    app.run()
    assert calm(app) and menu == EVERYONE


@pytest.mark.usefixtures("here")
def test_the_local_administrator_finds_the_collections(app: AppTest, menu: list[str]) -> None:
    app.run()
    assert calm(app) and menu == [*EVERYONE, "Index", "Collections"]


@pytest.mark.parametrize(("user", "last"), [({"is_logged_in": False}, "Log in"), ({"is_logged_in": True}, "Account")])
def test_with_log_in_the_menu_leads_to_it(
    app: AppTest, menu: list[str], monkeypatch: pytest.MonkeyPatch, user: dict[str, object], last: str
) -> None:
    monkeypatch.setenv("BOXFIND_ADMIN", "login")
    app.user = user
    app.run()
    assert calm(app) and menu == [*EVERYONE, last]


def test_r48_visitors_cannot_open_the_pages_of_administrators(app: AppTest) -> None:
    app.run()
    for page in ("pages/index.py", "pages/collections.py"):
        with pytest.raises(ValueError, match="Could not find a navigation page"):
            app.switch_page(page)
