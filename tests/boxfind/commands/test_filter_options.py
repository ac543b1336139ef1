"""The options of search and batch that limit them to some pictures."""

import csv
import json
from pathlib import Path

import pytest

from boxfind.engine import Engine
from boxfind.searches.albums import Albums
from boxfind.settings import Settings

EVERY = {f"{number:02d}.png" for number in range(12)}


@pytest.fixture
def album(indexed) -> None:
    """An album named "mine" with two pictures."""
    settings = Settings.load(index=indexed.index)
    gallery = Engine(settings).gallery()
    contents = [gallery.entry(image).sha256 for image in ("03.png", "10.png")]
    Albums(settings.searches_file).add("mine", contents)


@pytest.mark.usefixtures("album")
@pytest.mark.parametrize(
    ("option", "value", "images"),
    [
        ("--name", "PNG 1", {"01.png", "10.png", "11.png"}),
        ("--since", "2020-01-01", EVERY),
        ("--since", "2100-01-01", set()),
        ("--until", "2020-01-01", set()),
        ("--until", "2100-01-01", EVERY),
        ("--shape", "landscape", EVERY),
        ("--shape", "square", set()),
        ("--pixels", 256 * 192, EVERY),
        ("--pixels", 256 * 192 + 1, set()),
        ("--album", "mine", {"03.png", "10.png"}),
    ],
)
def test_each_option_limits_a_search(indexed, boxfind, option: str, value: object, images: set[str]):
    args = ("search", "--index", indexed.index, "--image", indexed.gallery / "03.png", "--top", 0, "--json")
    result = boxfind(*args, option, value)
    assert result.code == 0 and {row["image"] for row in json.loads(result.out)} == images


def test_a_search_that_finds_nothing_says_so(indexed, boxfind):
    result = boxfind("search", "--index", indexed.index, "--image", indexed.gallery / "03.png", "--name", "nowhere")
    assert (result.code, result.out, result.err) == (0, "", "No pictures found.\n")


@pytest.mark.usefixtures("album")
@pytest.mark.parametrize(
    ("options", "images"),
    [
        (("--name", "1", "--album", "mine", "--since", "2020-01-01", "--until", "2100-01-01"), {"10.png"}),
        (("--shape", "landscape", "--pixels", 9, "--name", "0 3"), {"03.png"}),
        (("--name", "nowhere"), set()),
        (("--name", "nowhere", "--rank", "best"), set()),
    ],
)
def test_options_limit_every_query_of_a_batch(indexed, boxfind, tmp_path: Path, options, images: set[str]):
    (tmp_path / "queries.csv").write_text("query,image,x,y,w,h\na,02.png,0,0,256,192\nb,03.png,0,0,256,192\n")
    result = boxfind(
        *("batch", "--index", indexed.index, "--queries", tmp_path / "queries.csv", "--images", indexed.gallery),
        *("--out", tmp_path / "hits.csv", *options),
    )
    assert result.code == 0, result
    with (tmp_path / "hits.csv").open(newline="", encoding="utf-8") as file:
        found = {(row["query"], row["image"]) for row in csv.DictReader(file)}
    assert found == {(query, image) for query in "ab" for image in images}


@pytest.fixture(params=["search", "batch"])
def command(request, indexed, tmp_path: Path) -> tuple[object, ...]:
    if request.param == "search":
        return "search", "--index", indexed.index, "--image", indexed.gallery / "03.png"
    return "batch", "--index", indexed.index, "--queries", indexed.gallery, "--out", tmp_path / "hits.csv"


def test_an_unknown_album_or_folder_is_an_error(boxfind, command, tmp_path: Path):
    boxfind(*command, "--album", "gone").assert_failed("no album called 'gone'")
    boxfind(*command, "--folder", "/gone/").assert_failed("no pictures below the folder gone;")
    assert not (tmp_path / "hits.csv").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--name", "a\udcff", "unprintable"),
        ("--album", "a\nb", "unprintable"),
        ("--since", "soon", "'soon' is not a date; write it as 2025-03-09."),
        ("--until", "2025-02-30", "'2025-02-30' is not a date"),
        ("--shape", "round", "'landscape', 'portrait', 'square'"),
        ("--pixels", -1, "greater than or equal to 0"),
    ],
)
def test_a_bad_value_is_wrong_usage(boxfind, command, option: str, value: object, said: str):
    result = boxfind(*command, option, value)
    words = " ".join(result.err.replace("│", " ").split())
    assert result.code == 2 and option in words and said in words, result
