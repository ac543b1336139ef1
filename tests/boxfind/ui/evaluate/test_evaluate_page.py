"""The Evaluate page, run without a browser."""

import csv
import io
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit as st
from PIL import Image as Pillow
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest

from boxfind.engine import Engine
from boxfind.evaluation.dataset_zip import FOLDER
from boxfind.evaluation.ratings import judged
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.searches.query_thumbnail import kept
from boxfind.searches.saved_searches import Saved, SavedSearches
from boxfind.settings import Settings
from boxfind.ui.evaluate.rerun import packing
from boxfind.ui.session import shared_engine
from index.gallery import Gallery
from retrieval.errors import IndexProblem
from retrieval.images.decode import LoadedImage
from retrieval.request import Example, Request
from retrieval.types import Box, Hit, Image
from tests.boxfind.ui.reading import HEIGHT, WIDTH, calm, texts

WHOLE = Box(0, 0, WIDTH, HEIGHT)
ALL = tuple(f"{number:02d}.png" for number in range(12))
TOP, ORDER = "Right in the first 10", "Right before wrong"
GONE = "f" * 64
Save = Callable[..., None]


@pytest.fixture
def saved_search_store(searches_file: Path) -> SavedSearches:
    """The empty saved searches of the program."""
    return SavedSearches(searches_file)


@pytest.fixture
def save(saved_search_store: SavedSearches, pictures: Path, draw: Callable[..., Image]) -> Save:
    """Save a search for a whole drawn picture; numbers below 12 are gallery pictures.

    All pictures that are not marked as right are marked as wrong, unless `negatives` is given.
    """
    tables = Engine(Settings.load()).gallery().tables

    def saved(name: str, number: int, **changes: object) -> None:
        image = draw(number, WIDTH, HEIGHT)
        own = f"{number:02d}.png"
        key = tables.entry(tables.numbers[own]).sha256 if own in tables.numbers else "0" * 64
        others = tuple(image for image in ALL if image not in changes.get("positives", ALL))
        asked = Request(**{"examples": (Example(key, WHOLE),), "negatives": others} | changes)
        request, jpegs = kept(asked, {"0" * 64: LoadedImage.of(image)}, {key, GONE} - {"0" * 64})
        saved_search_store.save(Saved(name, request, datetime.now(UTC), "", ()), jpegs)

    return saved


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests the engine gets. Best returns the gallery sorted by name, fast in reverse order."""
    heard: list[Request] = []
    answer = Engine.answer

    def ordered(
        engine: Engine, gallery: Gallery, request: Request, images: Mapping[str, Image], top: int, *_: str, **__: bool
    ) -> list[Hit]:
        heard.append(request)
        hits = sorted(answer(engine, gallery, request, images, top), key=lambda hit: hit.image)
        return hits if request.ranking == "best" else hits[::-1]

    monkeypatch.setattr(Engine, "answer", ordered)
    return heard


def opened(app: AppTest) -> AppTest:
    app.run()
    app.switch_page("pages/evaluate.py").run()
    assert calm(app)
    return app


def both(app: AppTest) -> AppTest:
    app.segmented_control(key="evaluated").select("Best and Fast").run()
    assert calm(app)
    return app


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def table(app: AppTest) -> list[dict[str, object]]:
    (frame,) = app.dataframe
    rows: list[dict[str, object]] = frame.value.to_dict("records")
    return rows


def plainly(text: str) -> str:
    return text.replace("\\", "")


def test_without_saved_searches_the_page_says_what_to_do(app: AppTest, saved_search_store: SavedSearches) -> None:
    opened(app)
    assert "There are no saved searches yet" in texts(app, "info")
    assert "thumbs" in texts(app, "markdown")
    assert [link.proto.label for link in app.get("page_link")] == ["Go to Search"]
    assert not app.metric and not app.get("download_button")
    assert not saved_search_store.names()


def test_unmarked_searches_are_listed_with_the_next_step(app: AppTest, save: Save) -> None:
    save("*bare*", 3)
    opened(app)
    assert "No saved search has enough marks yet" in texts(app, "info")
    assert "***bare***  \nNo result is marked as right." in plainly(texts(app, "markdown"))
    assert app.get("page_link") and not app.metric


def test_results_without_a_mark_do_not_count(app: AppTest, save: Save, asked: list[Request]) -> None:
    save("mine", 20, positives=("00.png", "02.png", "04.png"), negatives=("06.png", "08.png", "10.png"))
    save("one of the gallery", 0, positives=("00.png", "01.png"))  # itself does not count: 01 is the first
    opened(app)
    assert metrics(app) == {TOP: "0.300", ORDER: "1.000"}
    assert "On average 7.5 of the first 10 results are marked; results without a mark do not count" in (
        texts(app, "caption")
    )
    assert table(app) == [
        {"Search": "mine", "AP": 1, "P@10": 0.5, "Marked right": 3, "Marked of the first 10": 5},
        {"Search": "one of the gallery", "AP": 1, "P@10": 0.1, "Marked right": 1, "Marked of the first 10": 10},
    ]


@pytest.mark.usefixtures("here")
def test_a_search_with_too_few_marks_asks_for_more_and_can_be_opened(
    app: AppTest, save: Save, asked: list[Request]
) -> None:
    save("mine", 20, positives=("00.png",))
    save("*few*", 0, positives=("01.png",), negatives=("02.png",))
    opened(app)
    assert [row["Search"] for row in table(app)] == ["mine"]
    assert [expander.label for expander in app.expander] == ["1 saved search needs more marks"]
    reason = "2 of the first 10 results are marked; at least 5 are needed."
    assert f"***few***  \n{reason}" in plainly(texts(app, "markdown"))
    app.button(key="mark *few*").click().run()
    assert calm(app)
    state = app.session_state["search"]
    assert (state.request.positives, state.request.negatives) == (("01.png",), ("02.png",))
    assert app.session_state["opened search"].name == "*few*"
    assert "Find an object" in texts(app, "header")


def test_visitors_are_told_who_can_mark(app: AppTest, save: Save, asked: list[Request]) -> None:
    save("few", 0, positives=("01.png",), negatives=("02.png",))
    opened(app)
    assert "Administrators can mark more results." in texts(app, "caption")
    assert "Open and mark" not in [button.label for button in app.button]


def test_reruns_use_the_chosen_ranking_without_feedback(app: AppTest, save: Save, asked: list[Request]) -> None:
    save("mine", 20, positives=("00.png",), ranking="fast", context=1.2)
    opened(app)
    (request,) = asked
    assert (request.positives, request.negatives, request.ranking, request.context) == ((), (), "best", 1.2)


def test_ratings_are_cached_until_a_mark_changes(
    app: AppTest, save: Save, asked: list[Request], saved_search_store: SavedSearches
) -> None:
    save("mine", 20, positives=("00.png",))
    save("other", 21, positives=("00.png",))
    opened(app)
    assert len(asked) == 2
    both(app)
    assert [request.ranking for request in asked] == ["best", "best", "fast", "fast"]
    app.run()
    app.segmented_control(key="evaluated").select("Fast").run()
    assert len(asked) == 4
    mine = saved_search_store.get("mine")
    assert mine
    saved_search_store.mark(
        mine, mine.request, Request(positives=("11.png",), negatives=ALL[:11]), shared_engine().gallery().tables
    )
    app.run()
    assert len(asked) == 5
    assert metrics(app)[ORDER] == f"{(1 + 1 / 12) / 2:.3f}"


def test_two_rankings_side_by_side(app: AppTest, save: Save, asked: list[Request]) -> None:
    save("early", 20, positives=("00.png",))
    save("late", 21, positives=("11.png",))
    save("later", 22, positives=("10.png", "11.png"))
    both(opened(app))
    shown = metrics(app)
    assert list(shown) == [f"{TOP}: Best", f"{TOP}: Fast", f"{ORDER}: Best", f"{ORDER}: Fast"]
    assert {metric.label: metric.delta for metric in app.metric if metric.delta} == {
        f"{TOP}: Best": "-0.067",
        f"{ORDER}: Best": "-0.290",
    }
    late = (1 / 11 + 2 / 12) / 2
    assert shown[f"{ORDER}: Best"] == f"{(1 + 1 / 12 + late) / 3:.3f}"
    assert shown[f"{ORDER}: Fast"] == f"{(1 / 12 + 1 + 1) / 3:.3f}"
    rows = {row["Search"]: row for row in table(app)}
    assert list(rows) == ["late", "later", "early"]  # the hardest first
    assert [rows[name]["AP Best − Fast"] for name in ("late", "early")] == pytest.approx([-11 / 12, 11 / 12], abs=1e-4)
    assert (
        "By *right before wrong*, **Best** is better in 1 saved search, **Fast** in 2; 0 tied. A significance test"
        in texts(app, "markdown")
    )


def test_intervals_are_shown_from_five_searches(app: AppTest, save: Save, asked: list[Request]) -> None:
    for number in range(5):
        save(f"search {number}", 20 + number, positives=("00.png",))
    both(opened(app))
    assert "The mean difference, Best minus Fast, is +0.917 (95 % interval +0.917 to +0.917): significant." in (
        texts(app, "markdown")
    )
    assert all("95 % interval over searches" in metric.help for metric in app.metric)


def test_the_plot_has_a_point_per_search_and_ranking_and_an_alternative_text(
    app: AppTest, save: Save, asked: list[Request]
) -> None:
    save("early", 20, positives=("00.png",))
    save("late", 21, positives=("11.png",))
    both(opened(app))
    (chart,) = app.get("vega_lite_chart")
    assert "Average precision of 2 saved searches: Best from 0.08 to 1.00; Fast from 0.08 to 1.00." in str(chart.proto)
    points = convert_arrow_bytes_to_pandas_df(chart.proto.datasets[0].data.data)
    assert set(zip(points["Search"], points["Ranking"], points["AP"].round(2), strict=True)) == {
        ("early", "Best", 1),
        ("late", "Best", 0.08),
        ("early", "Fast", 0.08),
        ("late", "Fast", 1),
    }


def test_a_missing_picture_affects_only_its_own_search(app: AppTest, save: Save, asked: list[Request]) -> None:
    save("mine", 20, positives=("00.png",))
    save("gone", 21, positives=("00.png",), examples=(Example(GONE, WHOLE),))
    save("small", 21, positives=("00.png",), examples=(Example("0" * 64, Box(0, 0, 3, 3)),))
    opened(app)
    assert [row["Search"] for row in table(app)] == ["mine"]
    words = plainly(texts(app, "markdown"))
    assert "gone: The query picture is no longer available." in words
    assert "small: The box is" in words


@pytest.mark.parametrize("problem", [IndexProblem("The index has gone."), SavedSearchesProblem("The file is broken.")])
def test_an_error_of_all_searches_is_shown_once(
    app: AppTest, save: Save, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise problem

    save("mine", 20, positives=("00.png",))
    monkeypatch.setattr(*((Engine, "answer") if isinstance(problem, IndexProblem) else (SavedSearches, "all")), broken)
    opened(app)
    assert str(problem) in plainly(texts(app, "error"))
    assert not app.metric


def test_two_downloads_are_offered(app: AppTest, save: Save, asked: list[Request]) -> None:
    save("mine", 20, positives=("00.png",))
    save("two boxes", 21, positives=("00.png",), examples=(Example("0" * 64, WHOLE), Example("0" * 64, WHOLE, "also")))
    opened(app)
    assert [button.label for button in app.get("download_button")] == ["Table as CSV", "Data set as ZIP"]
    assert not any(button.proto.disabled for button in app.get("download_button"))
    assert "two boxes: It has more than one box." in plainly(texts(app, "markdown"))


def test_the_data_set_copies_saved_pictures_and_reencodes_gallery_pictures(
    app: AppTest, save: Save, saved_search_store: SavedSearches
) -> None:
    save("mine", 20, positives=("00.png",))
    save("one of the gallery", 4, positives=("00.png",))
    st.cache_resource.clear()
    gallery = Engine(Settings.load()).gallery()
    searches = judged({saved.name: saved.request for saved in saved_search_store.all()}, gallery.tables)
    with zipfile.ZipFile(io.BytesIO(packing(gallery, searches)())) as archive:
        queries = {
            row["object"]: row for row in csv.DictReader(io.StringIO(archive.read(f"{FOLDER}/queries.csv").decode()))
        }
        mine, other = (
            archive.read(f"{FOLDER}/queries/{queries[name]['image']}") for name in ("mine", "one of the gallery")
        )
    assert mine == saved_search_store.picture(queries["mine"]["image"].removesuffix(".jpg"))
    with Pillow.open(io.BytesIO(other)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (WIDTH, HEIGHT))
    assert [queries["one of the gallery"][side] for side in "xywh"] == ["0", "0", str(WIDTH), str(HEIGHT)]
