"""The description is asked for only where it works; every ranking can be chosen."""

import pytest
from streamlit.testing.v1 import AppTest

from boxfind.ui.search.search_options import LABELS
from boxfind.ui.search.search_state import SearchState
from retrieval.optional_packages import OptionalPackage
from retrieval.request import Request
from retrieval.search import RANKINGS
from tests.boxfind.ui.reading import calm, texts


def test_every_ranking_can_be_chosen_and_no_other() -> None:
    assert set(LABELS) == set(RANKINGS)


@pytest.fixture
def undescribable(monkeypatch: pytest.MonkeyPatch) -> str:
    """A program without the sentence model."""
    monkeypatch.setattr("retrieval.text.sentence_embedder.MINILM", OptionalPackage("the-model", "no_such_module", ""))
    return "Text search needs the package the-model"


def test_a_description_can_be_given(app: AppTest) -> None:
    app.run()
    assert [field.label for field in app.text_input] == ["Description"]
    assert "Describe what you are looking for" in texts(app, "info")


def test_without_the_sentence_model_no_description_is_asked_for(app: AppTest, undescribable: str) -> None:
    app.run()
    assert calm(app) and not app.error
    assert not app.text_input
    assert texts(app, "info").startswith("Choose a picture")


def test_a_description_of_an_opened_search_can_be_removed_where_it_does_not_work(
    app: AppTest, undescribable: str
) -> None:
    state = SearchState()
    state.ask(Request(words="a cup"))
    app.session_state["search"] = state
    app.run()
    assert undescribable in texts(app, "error").replace("\\", "")
    app.text_input[0].set_value("").run()
    assert calm(app) and not app.error and not app.text_input
