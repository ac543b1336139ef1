"""Results keep still when a new generation is served, and new matches are offered."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind.builds import Builds
from boxfind.engine import Engine
from boxfind.settings import Settings
from boxfind.ui.search import settled_results
from boxfind.ui.search.result_filter import MINIMUM
from index.building.jobs import BuildState
from index.building.read_text import TextProgress
from index.storage.written_text import WrittenText
from retrieval.errors import Busy
from retrieval.types import Box, WrittenLine
from tests.boxfind.ui.reading import HEIGHT, WIDTH, alts, buttons, calm, choose, press, texts
from tests.waves import make_wave

WHOLE = Box(0, 0, WIDTH, HEIGHT)
COPIES = ("zz-1.png", "zz-2.png")
Grow = Callable[..., None]


@pytest.fixture(scope="module")
def half(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six of the pictures, and their index."""
    folder = tmp_path_factory.mktemp("half")
    (folder / "pictures").mkdir()
    for picture in sorted(pictures.iterdir())[:6]:
        shutil.copy(picture, folder / "pictures")
    build(folder)
    return folder


@pytest.fixture
def grow(half: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: AppTest) -> Grow:
    """Serve the six pictures as a wave; the function publishes a generation with other pictures."""
    shutil.copytree(half, tmp_path, dirs_exist_ok=True, symlinks=True)
    make_wave(tmp_path / "index", found=12)
    monkeypatch.setenv("BOXFIND_GALLERY", str(tmp_path / "pictures"))
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))

    def grown(*copies: str, drop: tuple[str, ...] = (), wave: int = 0) -> None:
        """Add copies of 03.png, slightly darker, and drop pictures."""
        for number, name in enumerate(copies, start=1):
            with Pillow.open(tmp_path / "pictures" / "03.png") as picture:
                picture.point(lambda value, less=number: max(value - less, 0)).save(tmp_path / "pictures" / name)
        for name in drop:
            (tmp_path / "pictures" / name).unlink()
        build(tmp_path)
        if wave:
            make_wave(tmp_path / "index", wave)

    return grown


def build(folder: Path) -> None:
    Engine(Settings.load(gallery=folder / "pictures", index=folder / "index")).builds.build(lambda *_: None)


@pytest.fixture
def searched(app: AppTest, pictures: Path, grow: Grow) -> AppTest:
    """The page with the results of a search in the first wave."""
    choose(app, pictures / "03.png", WHOLE)
    app.run()
    assert calm(app) and len(alts(app)) == 6
    return app


def names(app: AppTest) -> list[str]:
    return [alt.split(", ")[0].partition(": ")[2] for alt in alts(app)]


def offered(app: AppTest) -> list[str]:
    return [label for label in buttons(app) if "new match" in label]


def test_r89_results_stay_until_the_new_ones_are_asked_for(searched: AppTest, grow: Grow) -> None:
    before = alts(searched)
    assert not offered(searched)
    grow(*COPIES, wave=12)
    searched.run()
    assert calm(searched) and alts(searched) == before and offered(searched) == ["2 new matches"]
    searched.run()
    assert alts(searched) == before and offered(searched) == ["2 new matches"]
    press(searched, "2 new matches")
    assert calm(searched) and set(names(searched)[:3]) == {"03.png", *COPIES} and not offered(searched)
    assert searched.session_state["search"].boxes == [WHOLE]


def test_another_search_looks_at_the_new_generation_at_once(searched: AppTest, grow: Grow) -> None:
    grow(*COPIES)
    next(choice for choice in searched.segmented_control if choice.label == "Ranking").select("fast").run()
    assert calm(searched) and len(alts(searched)) == 8 and not offered(searched)


def test_nothing_is_offered_without_new_matches(searched: AppTest, grow: Grow) -> None:
    assert "Searching 6 of 12 pictures; the build was stopped" in texts(searched, "caption")
    grow(drop=("05.png",))
    searched.run()
    assert calm(searched) and not offered(searched)
    searched.run()
    assert calm(searched) and "Searched 5 pictures in" in texts(searched, "caption") and len(alts(searched)) == 5


def test_r89_pictures_that_are_gone_are_left_out_with_a_sentence(searched: AppTest, grow: Grow) -> None:
    before = names(searched)
    grow(*COPIES, drop=("05.png",))
    searched.run()
    assert calm(searched) and names(searched) == [name for name in before if name != "05.png"]
    assert "1 picture shown before is no longer in the index" in texts(searched, "caption")
    assert offered(searched) == ["2 new matches"]


def test_a_picture_with_other_contents_is_another_one(
    searched: AppTest, grow: Grow, tmp_path: Path, pictures: Path
) -> None:
    shutil.copy(pictures / "11.png", tmp_path / "pictures" / "05.png")
    grow(*COPIES)
    searched.run()
    assert calm(searched) and "05.png" not in names(searched) and len(alts(searched)) == 5


def test_the_search_is_answered_anew_if_no_picture_is_left(searched: AppTest, grow: Grow, tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / "pictures" / f"{number:02d}.png").rename(tmp_path / "pictures" / f"renamed-{number}.png")
    build(tmp_path)
    searched.run()
    assert calm(searched) and names(searched)[0] == "renamed-3.png" and len(alts(searched)) == 6


def test_matches_that_the_filter_hides_are_not_offered(searched: AppTest, grow: Grow) -> None:
    searched.session_state[MINIMUM] = 1.0
    grow(*COPIES)
    searched.run()
    assert calm(searched) and not offered(searched)


def test_r89_a_search_for_new_matches_that_fails_is_repeated(
    searched: AppTest, grow: Grow, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = alts(searched)
    grow(*COPIES)
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "answer", lambda *_: busy())
        searched.run()
        assert calm(searched) and alts(searched) == before and not texts(searched, "error")
    searched.run()
    assert offered(searched) == ["2 new matches"]


def busy() -> Any:
    raise Busy("The server is busy.")


def test_more_text_is_searched_from_time_to_time(
    searched: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, find = [], settled_results.find
    monkeypatch.setattr(settled_results, "find", lambda *given: asked.append(given) or find(*given))
    WrittenText(tmp_path / "index").add({1: [WrittenLine("open", Box(0, 0, 9, 9), 0.9)]})
    searched.run()
    assert calm(searched) and not asked
    monkeypatch.setattr(settled_results, "TEXT_EVERY", 0.0)
    searched.run()
    searched.run()
    assert calm(searched) and len(asked) == 1


def test_it_says_how_much_text_has_been_read(searched: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Text has been read" not in texts(searched, "caption")
    monkeypatch.setattr("boxfind.ui.search.result_status.text_facts", lambda _: TextProgress(5, 12))
    assert "Text has been read in 41 % of the pictures so far" in texts(searched.run(), "caption")
    monkeypatch.setattr("boxfind.ui.search.result_status.text_facts", lambda _: TextProgress(12, 12))
    assert "Text has been read" not in texts(searched.run(), "caption")
    monkeypatch.setattr("boxfind.ui.search.result_status.text_facts", lambda _: TextProgress(5, 12))
    next(choice for choice in searched.segmented_control if choice.label == "Ranking").select("fast").run()
    assert calm(searched) and "Text has been read" not in texts(searched, "caption")


def test_r90_the_page_says_what_is_searched_while_the_build_goes_on_and_when_it_stopped(
    searched: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = BuildState(
        state="running",
        pid=41,
        started=0.0,
        stage="Reading pictures",
        stage_started=0.0,
        now=600.0,
        done=1000,
        total=5100,
    )
    monkeypatch.setattr(Builds, "state", lambda _: running)
    searched.run()
    (progress,) = searched.get("progress")
    assert calm(searched) and progress.text == "Searching 6 of 12 pictures · 41 min left"
    assert "Searching 6 of 12 pictures · 41 min left" in texts(searched, "caption")
    assert "6 of 12 pictures" in " ".join(element.value for element in searched.sidebar.markdown)
    monkeypatch.setattr(Builds, "state", lambda _: running.model_copy(update={"stage": "Writing the index"}))
    (progress,) = searched.run().get("progress")
    assert progress.text == "Searching 6 of 12 pictures · Writing the index"
    monkeypatch.setattr(Builds, "state", lambda _: running.model_copy(update={"state": "cancelled"}))
    searched.run()
    assert "Searching 6 of 12 pictures; the build was stopped. Update continues it." in texts(searched, "markdown")


def test_it_says_in_how_many_pictures_details_have_been_found(
    app: AppTest, grow: Grow, pictures: Path, tmp_path: Path
) -> None:
    make_wave(tmp_path / "index", found=12, without_keypoints=4)
    choose(app, pictures / "03.png", WHOLE)
    app.run()
    assert calm(app) and "Details have been found in 33 % of the pictures so far" in texts(app, "caption")
    next(choice for choice in app.segmented_control if choice.label == "Ranking").select("fast").run()
    assert calm(app) and "Details have been" not in texts(app, "caption")
