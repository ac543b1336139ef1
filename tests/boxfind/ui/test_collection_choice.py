"""The chooser of collections: hidden with one, kept in the address, and what goes along with a change."""

import gc
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
import streamlit as st
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.collection_table import FILE, CollectionTable
from boxfind.engines import Engines
from boxfind.settings import Settings
from boxfind.ui.search import results_in_all
from boxfind.ui.search.search_state import SearchState
from index.gallery import Gallery
from retrieval.request import PictureFilter, Request
from retrieval.types import Hit
from tests.boxfind.ui.reading import alts, calm, texts
from tests.tiny import eight_pictures


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def second(data: Path, tmp_path: Path, app: AppTest) -> str:
    """The name of another collection, with an index."""
    CollectionTable(data).add("Zweite", [eight_pictures(tmp_path / "second")])
    Engines(Settings.load()).get("Zweite").builds.build(lambda *_: None)
    return "Zweite"


IN_ALL = "results in all"


def chooser(app: AppTest) -> Any:
    return next((box for box in app.selectbox if box.label == "Collection"), None)


def test_one_collection_needs_no_chooser(app: AppTest, data: Path) -> None:
    app.run()
    assert calm(app) and chooser(app) is None and "collection" not in app.query_params


def test_collections_are_switched_and_the_words_go_along(app: AppTest, second: str, pictures: Path) -> None:
    state = SearchState(Request(words="red", only=PictureFilter(name="0", album="x"), folder="y", positives=("z",)))
    app.session_state["search"] = state
    app.run()
    assert calm(app) and chooser(app).options == [pictures.name, second, "All collections"]
    chooser(app).set_value(second).run()
    request = app.session_state["search"].request
    assert calm(app) and app.query_params["collection"] in (second, [second])
    assert (request.words, request.only, request.folder, request.positives) == ("red", PictureFilter(name="0"), "", ())
    assert "8 pictures" in texts(app, "markdown")
    chooser(app).set_value("default").run()
    assert calm(app) and app.session_state["search"].request.positives == ("z",)  # they are of the same query


def test_an_address_opens_its_collection(app: AppTest, second: str) -> None:
    app.query_params["collection"] = "zweite"
    app.run()
    assert calm(app) and chooser(app).value == second and "8 pictures" in texts(app, "markdown")
    app.query_params["collection"] = "gone"
    app.run()
    assert calm(app) and "There is no collection called gone" in texts(app, "toast")


def test_all_collections_are_searched_on_the_search_page_only(app: AppTest, second: str) -> None:
    app.session_state["search"] = SearchState(Request(words="red"))
    app.query_params["collection"] = "all"
    app.run()
    assert calm(app) and "20 pictures in 2 collections" in texts(app, "caption")
    app.switch_page("pages/gallery.py").run()
    assert calm(app) and "All collections" not in chooser(app).options


def test_a_session_keeps_the_answer_of_all_collections_but_no_gallery(
    app: AppTest, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep the files and tables of generations that are no longer served."""
    searched: list[Request] = []
    search = results_in_all.search_all
    monkeypatch.setattr(results_in_all, "search_all", lambda *given: (searched.append(given[1]), search(*given))[1])
    app.session_state["search"] = SearchState(Request(words="red"))
    app.query_params["collection"] = "all"
    app.run()
    shown = alts(app, IN_ALL)
    assert calm(app) and len(shown) == 20
    app.run()
    assert calm(app) and alts(app, IN_ALL) == shown and len(searched) == 1
    kept = app.session_state[results_in_all.ANSWER]
    assert any(isinstance(thing, Hit) for thing in held(kept)) and not any(isinstance(x, Gallery) for x in held(kept))
    engine = Engines(Settings.load()).get(second)
    Pillow.new("RGB", (320, 240), "red").save(engine.settings.gallery_dir / "new.png")
    engine.builds.build(lambda *_: None)
    app.run()
    assert calm(app) and len(alts(app, IN_ALL)) == 21 and len(searched) == 2


def held(by: object) -> list[object]:
    """Everything that an object refers to."""
    found, waiting = dict[int, object](), [by]
    while waiting:
        thing = waiting.pop()
        if id(thing) not in found and not isinstance(thing, type | ModuleType | FunctionType):
            found[id(thing)] = thing
            waiting += gc.get_referents(thing)
    return list(found.values())


def test_a_collection_that_is_removed_gives_way_to_the_first(app: AppTest, second: str, data: Path) -> None:
    app.query_params["collection"] = second
    app.run()
    CollectionTable(data).remove(second)
    app.run()
    assert calm(app) and chooser(app) is None and "12 pictures" in texts(app, "markdown")


@pytest.mark.usefixtures("here")
def test_r99_a_damaged_table_on_the_page_is_one_sentence(
    app: AppTest, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.mkdir()
    (data / FILE).write_text("{")
    app.run()
    assert calm(app) and "12 pictures" in texts(app, "markdown")  # the gallery that is given is served
    app.switch_page("pages/collections.py").run()
    assert calm(app) and "is damaged" in texts(app, "error")
    monkeypatch.delenv("BOXFIND_GALLERY")
    monkeypatch.delenv("BOXFIND_INDEX")
    st.cache_resource.clear()
    app.run()
    assert "Boxfind cannot start" in texts(app, "error") and (data / FILE).read_text() == "{"


@pytest.fixture
def listed(app: AppTest, second: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app with the collections of the table only, of which one has an index."""
    (tmp_path / "third").mkdir()
    CollectionTable(data).add("Dritte", [tmp_path / "third"])
    monkeypatch.delenv("BOXFIND_GALLERY")
    monkeypatch.delenv("BOXFIND_INDEX")
    return app


@pytest.mark.parametrize("admin", ["local", "nobody"])
def test_r99_parts_that_run_by_themselves_say_that_the_table_was_damaged_meanwhile(
    listed: AppTest, data: Path, monkeypatch: pytest.MonkeyPatch, admin: str
) -> None:
    """Such a part runs alone, so that nothing around it shows its errors."""
    fragment, whole = st.fragment, (data / FILE).read_text()
    parts: list[str] = []

    def later(part: Callable[..., None], run_every: str | None = None) -> Callable[..., None]:
        def run(*given: object) -> None:
            parts.append(part.__qualname__)
            (data / FILE).write_text("{")
            fragment(part)(*given)
            (data / FILE).write_text(whole)

        return run

    monkeypatch.setattr(st, "fragment", later)
    monkeypatch.setenv("BOXFIND_ADMIN", admin)
    listed.session_state["search"] = SearchState(Request(words="red"))
    listed.run()
    assert calm(listed) and not listed.error
    assert sorted(parts) == ["_facts", "_facts", "_follow", "_new_matches"]
    said = [caption.value.replace("\\", "") for caption in listed.caption if "list of collections" in caption.value]
    assert len(said) == 3 and all((FILE in sentence) == (admin == "local") for sentence in said)


def test_r99_a_choice_in_a_damaged_table_is_a_sentence(listed: AppTest, data: Path) -> None:
    listed.run()
    whole, choice = (data / FILE).read_text(), chooser(listed).set_value("Dritte")
    (data / FILE).write_text("{")
    choice.run()
    assert not listed.exception and "Boxfind cannot start" in texts(listed, "error")
    (data / FILE).write_text(whole)
    listed.run()
    assert calm(listed) and not listed.error and chooser(listed).value == "Dritte"


def test_a_dialog_says_that_the_table_was_damaged_meanwhile(app: AppTest) -> None:
    def opened() -> None:
        from boxfind.collection_table import UnreadableTable
        from boxfind.ui.error_boundary import error_boundary

        with error_boundary():
            raise UnreadableTable("The list is damaged.")

    page = AppTest.from_function(opened).run()
    assert not page.exception and "list of collections is invalid" in page.error[0].value
