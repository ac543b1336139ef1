"""Saved searches on the page: they are listed everywhere, and saving one again proposes its own name."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.engine import Engine
from boxfind.settings import Settings
from boxfind.ui.session import saved_search_store
from retrieval.types import Box
from tests.boxfind.ui.reading import alts, calm, choose, pick, press, texts, tiles_of

BOX = Box(10, 20, 210, 170)
PAGES = ("search", "gallery", "catalogue", "evaluate")


def save(app: AppTest, name: str | None = None) -> str:
    """Save the current search. Returns the proposed name."""
    saved = app.session_state.get("opened search")
    app.session_state[f"save search {saved.made if saved else ''}"] = True
    app.run()
    field = app.text_input(key="search name")
    proposed = str(field.value)
    if name:
        field.set_value(name)
    press(app, "Save")
    assert calm(app) and "Name of the search" not in [field.label for field in app.text_input]
    return proposed


def test_saved_searches_open_from_every_page(app: AppTest, here: None, pictures: Path) -> None:
    choose(app, pictures / "03.png", BOX)
    app.run()
    save(app, "A cup")
    found = alts(app)
    for page in PAGES:
        app.session_state["search"].draw([])
        app.switch_page(f"pages/{page}.py").run()
        press(app, "A cup")
        app.switch_page("pages/search.py").run()  # AppTest does not follow st.switch_page of a callback
        assert calm(app) and alts(app) == found


def test_saving_an_opened_search_again_proposes_its_name(app: AppTest, here: None, pictures: Path) -> None:
    choose(app, pictures / "03.png", BOX)
    app.run()
    assert save(app, "A cup") == "03.png"
    app.session_state["search"].draw([Box(30, 20, 210, 170)])
    assert save(app) == "A cup" and saved_search_store().names() == ["A cup"]
    choose(app, pictures / "05.png", BOX)
    assert save(app) == "05.png"


def test_saving_an_upload_lists_no_second_search(app: AppTest, here: None, draw: Any, tmp_path: Path) -> None:
    Pillow.fromarray(draw(77, 320, 240)).save(tmp_path / "mine.png")
    picture = choose(app, tmp_path / "mine.png", BOX)
    app.run()
    save(app, "A cup")
    (step,) = app.session_state["search"].steps
    assert step == app.session_state["search"].request and step.examples[0].picture != picture.key


@pytest.mark.parametrize("change", ["renamed", "added"])
def test_only_new_contents_are_new(
    app: AppTest, here: None, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    gallery, index = shutil.copytree(pictures, tmp_path / "gallery"), tmp_path / "index"
    added = shutil.move(gallery / "11.png", tmp_path)
    monkeypatch.setenv("BOXFIND_GALLERY", str(gallery))
    monkeypatch.setenv("BOXFIND_INDEX", str(index))
    Engine(Settings.load()).builds.build(lambda *_: None)
    choose(app, gallery / "03.png", BOX)
    app.run()
    save(app, "A cup")
    if change == "renamed":
        (gallery / "holidays").mkdir()
        for picture in sorted(gallery.glob("0*.png")):
            picture.rename(gallery / "holidays" / picture.name)
    else:
        shutil.move(added, gallery)
    Engine(Settings.load()).builds.build(lambda *_: None)
    app.run()
    app.run()  # shows what the run before has found, as it holds no new match
    assert calm(app) and len(alts(app)) == (12 if change == "added" else 11)
    said = texts(app, "caption").replace("\\", "")
    assert ("1 new in the top 12 (11.png), 0 no longer in the collection" in said) == (change == "added")
    assert ("since this was saved on" in said) == (change == "added")


@pytest.mark.parametrize("earlier", [False, True], ids=["saved now", "saved by an earlier version"])
def test_marks_and_folder_follow_a_renamed_folder(
    app: AppTest, here: None, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: bool
) -> None:
    gallery = tmp_path / "gallery"
    for picture in pictures.iterdir():
        (gallery / "trip").mkdir(parents=True, exist_ok=True)
        shutil.copy2(picture, gallery / ("trip" if picture.name < "08" else "") / picture.name)
    monkeypatch.setenv("BOXFIND_GALLERY", str(gallery))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))
    Engine(Settings.load()).builds.build(lambda *_: None)
    choose(app, gallery / "trip" / "03.png", BOX)
    app.run()
    state = app.session_state["search"]
    state.ask(replace(state.request, folder="trip", positives=("trip/03.png",), negatives=("trip/05.png",)))
    app.run()
    save(app, "A cup")
    if earlier:
        with closing(sqlite3.connect(tmp_path / "searches.sqlite")) as connection, connection:
            connection.execute("DROP TABLE named_contents")
    (gallery / "trip").rename(gallery / "Trip of 2019")
    Engine(Settings.load()).builds.build(lambda *_: None)
    app.run()
    open_search = app.session_state["search"].request
    assert open_search.folder == "Trip of 2019" and open_search.positives == ("Trip of 2019/03.png",)
    app.session_state["search"].draw([])
    app.run()
    press(app, "A cup")
    request = app.session_state["search"].request
    assert calm(app) and request.folder == "Trip of 2019"
    assert (request.positives, request.negatives) == (("Trip of 2019/03.png",), ("Trip of 2019/05.png",))
    pick(app, "results", "right", "Trip of 2019/03.png")
    assert marks("A cup") == ((), ("Trip of 2019/05.png",))


def marks(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    saved = saved_search_store().get(name)
    assert saved
    return saved.request.positives, saved.request.negatives


def test_an_earlier_step_of_an_opened_search_leaves_its_marks_alone(app: AppTest, here: None, pictures: Path) -> None:
    choose(app, pictures / "03.png", BOX)
    app.run()
    names = [tile.name for tile in tiles_of(app, "results")]
    for name in names[:3]:
        pick(app, "results", "right", name)
    save(app, "A cup")
    app.session_state["history"] = True
    app.run()
    pick(app, "history grid", "again", "1")
    app.run()
    assert not app.session_state["search"].request.positives and marks("A cup") == (tuple(names[:3]), ())
    pick(app, "results", "right", names[4])
    assert marks("A cup") == ((*names[:3], names[4]), ())


def test_feedback_of_administrators_is_stored_with_the_opened_search(
    app: AppTest, here: None, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(app, pictures / "03.png", BOX)
    app.run()
    save(app, "A cup")
    first, second = [tile.name for tile in tiles_of(app, "results")][:2]
    pick(app, "results", "right", first)
    pick(app, "results", "wrong", second)
    assert marks("A cup") == ((first,), (second,))
    app.session_state["feedback"] = True
    app.run()
    pick(app, "hidden", "show", second)
    assert marks("A cup") == ((first,), ())
    with monkeypatch.context() as patch:
        patch.setattr("boxfind.ui.search.saved_searches.is_admin", lambda: False)
        pick(app, "results", "right", second)
    assert marks("A cup") == ((first,), ())
    press(app, "Reset feedback")
    assert marks("A cup") == ((), ())


@pytest.mark.parametrize(("gone", "reason"), [("deleted", "no longer exists"), ("replaced", "was replaced or deleted")])
def test_marks_of_an_opened_search_that_is_gone_tell_so_once(
    app: AppTest, here: None, pictures: Path, gone: str, reason: str
) -> None:
    choose(app, pictures / "03.png", BOX)
    app.run()
    save(app, "A cup")
    saved = saved_search_store().get("A cup")
    assert saved
    if gone == "deleted":
        saved_search_store().delete("A cup")
    else:
        saved_search_store().save(replace(saved, made=datetime.now(UTC)), {})
    first, second = [tile.name for tile in tiles_of(app, "results")][:2]
    pick(app, "results", "right", first)
    assert reason in texts(app, "toast")
    pick(app, "results", "right", second)
    assert calm(app) and not app.toast
    assert app.session_state["search"].request.positives == (first, second)
    assert gone == "deleted" or marks("A cup") == ((), ())
