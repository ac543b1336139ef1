"""Laws of filters, on drawn tables; dates come from the camera or from the file."""

import time
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.storage.picture_filter import dates, named, passing
from index.storage.tables import ImageEntry, Tables, read_tables, write_tables
from retrieval.request import EVERY_PICTURE, PictureFilter

SIZES = [(400, 300), (300, 400), (300, 300), (4000, 3000), (310, 300), (3000, 4000)]
NAMES = ["trip/IMG_1.jpg", "trip/IMG_2.jpg", "trip/old/Cafe\u0301.jpg", "home/img_1.jpg", "Straße.jpg", "x.jpg"]


def entry(number: int) -> ImageEntry:
    """Every second picture has a date of the camera, ten days before that of its file."""
    width, height = SIZES[number]
    taken = datetime(2020, 1, 1 + number, 23, 59, 59) if number % 2 else None
    mtime = datetime(2020, 1, 11 + number, 12).timestamp()
    return ImageEntry(NAMES[number], b"x", width, height, 1, mtime, f"{number:064x}", taken)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    folder = tmp_path_factory.mktemp("tables")
    entries = sorted(map(entry, range(6)), key=lambda entry: entry.image)
    write_tables(folder, entries, [[] for _ in entries])
    return read_tables(folder)


def found(tables: Tables, chosen: PictureFilter, album: tuple[str, ...] = ()) -> set[str]:
    return {tables.ids[number] for number in np.flatnonzero(passing(chosen, tables, album))}


@pytest.mark.parametrize(
    ("words", "images"),
    [
        (["img"], {"trip/IMG_1.jpg", "trip/IMG_2.jpg", "home/img_1.jpg"}),
        (["IMG", "1"], {"trip/IMG_1.jpg", "home/img_1.jpg"}),
        (["im"], set()),
        (["Straße"], {"Straße.jpg"}),
        (["IMG_2.jpg"], {"trip/IMG_2.jpg"}),
        (["(*"], set()),
    ],
)
def test_names_of_whole_words(tables: Tables, words: list[str], images: set[str]) -> None:
    assert {tables.ids[number] for number in np.flatnonzero(named(words, tables))} == images


def test_an_empty_filter_passes_every_picture(tables: Tables) -> None:
    assert passing(EVERY_PICTURE, tables).all() and EVERY_PICTURE.parts == 0


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("img_1", {"trip/IMG_1.jpg", "home/img_1.jpg"}),
        ("IMG trip", {"trip/IMG_1.jpg", "trip/IMG_2.jpg"}),
        ("trip/old", {"trip/old/Cafe\u0301.jpg"}),
        ("CAFÉ", {"trip/old/Cafe\u0301.jpg"}),
        ("straße", {"Straße.jpg"}),
        (".*", set()),
        ("%", set()),
    ],
)
def test_all_words_must_be_in_the_path(tables: Tables, name: str, images: set[str]) -> None:
    assert found(tables, PictureFilter(name)) == images


def test_shapes_divide_the_pictures(tables: Tables) -> None:
    by_shape = {shape: found(tables, PictureFilter(shape=shape)) for shape in ("landscape", "portrait", "square")}
    assert by_shape["square"] == {NAMES[2], NAMES[4]}  # 310 x 300 is nearly square
    assert by_shape["portrait"] == {NAMES[1], NAMES[5]}
    assert sorted(image for images in by_shape.values() for image in images) == tables.ids


def test_the_size_is_a_minimum(tables: Tables) -> None:
    assert found(tables, PictureFilter(min_pixels=12_000_000)) == {NAMES[3], NAMES[5]}
    assert found(tables, PictureFilter(min_pixels=12_000_001)) == set()


def test_dates_are_of_the_camera_or_else_of_the_file_and_both_ends_count(tables: Tables) -> None:
    assert found(tables, PictureFilter(until=date(2020, 1, 10))) == {NAMES[1], NAMES[3], NAMES[5]}
    assert found(tables, PictureFilter(since=date(2020, 1, 4), until=date(2020, 1, 4))) == {NAMES[3]}
    assert found(tables, PictureFilter(since=date(2020, 1, 13))) == {NAMES[2], NAMES[4]}


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_the_date_of_a_file_is_local_and_may_be_any(tmp_path: Path) -> None:
    late = datetime(2020, 5, 1, 20).timestamp() + 9 * 3600
    times = [late, 0.0, -1e11, 1e11, float("nan")]
    entries = [ImageEntry(f"{n}.jpg", b"x", 1, 1, 1, mtime, "0" * 64) for n, mtime in enumerate(times)]
    write_tables(tmp_path, entries, [[] for _ in entries])
    days = dates(read_tables(tmp_path)).astype("datetime64[D]")
    assert str(days[0]) == "2020-05-02" and str(days[1]) == "1970-01-01"


def test_an_album_is_by_content_and_an_unknown_one_is_empty(tables: Tables) -> None:
    assert found(tables, PictureFilter(album="a"), (f"{3:064x}", "f" * 64)) == {NAMES[3]}
    assert found(tables, PictureFilter(album="a")) == set()


PARTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["img", "trip 1", "é", "x"]),
        "since": st.dates(date(2019, 12, 30), date(2020, 1, 20)),
        "until": st.dates(date(2019, 12, 30), date(2020, 1, 20)),
        "shape": st.sampled_from(["landscape", "portrait", "square"]),
        "min_pixels": st.integers(0, 13_000_000),
        "album": st.just("a"),
    },
)


@given(PARTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_parts_combine_as_an_intersection(tables: Tables, parts: dict) -> None:
    album = tuple(f"{number:064x}" for number in (0, 3, 4))
    alone = [found(tables, PictureFilter(**{name: value}), album) for name, value in parts.items()]
    assert found(tables, PictureFilter(**parts), album) == set(tables.ids).intersection(*alone)
