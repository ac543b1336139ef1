"""Saved searches are exported as a data set folder that `boxfind evaluate` reads."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind.engine import Engine
from boxfind.evaluation.dataset import read_csv_folder
from boxfind.evaluation.dataset_formats import detect_format
from boxfind.evaluation.dataset_zip import FOLDER, dataset_zip, unfit
from boxfind.evaluation.evaluate import evaluate
from boxfind.evaluation.ratings import Judged, judged, rating
from boxfind.evaluation.report import remarks
from boxfind.searches.query_thumbnail import jpeg_in_full_size
from boxfind.settings import Settings
from retrieval.errors import UnreadableImage
from retrieval.images.decode import LoadedImage, decode_image
from retrieval.images.resize import thumbnail
from retrieval.request import Example, Request
from retrieval.types import Box
from tests.tiny import use_tiny_network

BOX = Box(16, 16, 80, 80)
KEY = "b" * 64


@pytest.fixture
def jpeg(draw):
    """A stored query picture for any search."""
    data = thumbnail(draw(3), quality=95)
    return lambda key: data


def search(name="red mug", **changes) -> Judged:
    return Judged(name, Request(**{"examples": (Example(KEY, BOX),), "positives": ("3.png", "0.png")} | changes))


def unpacked(data: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert all(name.startswith(f"{FOLDER}/") for name in archive.namelist())
        archive.extractall(folder)
    return folder / FOLDER


@pytest.mark.parametrize("context", [1.0, 1.3])
def test_figures_of_the_exported_data_set_equal_those_of_the_page(
    gallery, build_index, tiny_embedder, monkeypatch, tmp_path, jpeg, context
):
    use_tiny_network(monkeypatch)
    engine = Engine(Settings.load(gallery=gallery, index=build_index(gallery).parent))
    served = engine.gallery()
    own = served.entry("5.png").sha256
    wrong = {"red mug": ("1.png", "0.png"), "own": ("1.png", "0.png", "3.png", "below/6.png"), "few marks": ("1.png",)}
    requests = {
        name: Request((Example(key, BOX),), context=context, positives=right, negatives=wrong[name])
        for name, key, right in [
            ("red mug", KEY, ("4.png", "below/7.png", "5.png")),
            ("own", own, ("5.png", "2.png", "gone.png")),
            ("few marks", KEY, ("4.png",)),
        ]
    }
    searches = judged(requests, served.tables)
    query, image = Request((Example(KEY, BOX),), "best", context), LoadedImage.of(decode_image(jpeg(KEY)))
    shown = {
        one.name: rating(one, [hit.image for hit in engine.answer(served, query, {KEY: image}, 0)]) for one in searches
    }

    folder = unpacked(dataset_zip(searches, jpeg), tmp_path)
    assert detect_format(folder) == "csv"
    found = evaluate(engine, served, read_csv_folder(folder), "best", lambda *_: None)

    assert found.protocol == "judged"
    assert [row.query for row in found.rows] == ["red-mug", "own", "few-marks"]
    assert {row.object: row.quality.get("all") for row in found.rows} == {
        name: None if one.missing else one.quality for name, one in shown.items()
    }
    assert [(row.judged, row.missing) for row in found.rows] == [(one.judged, one.missing) for one in shown.values()]
    assert [bool(one.missing) for one in shown.values()] == [False, False, True]
    assert (
        0 < shown["own"].quality.average_precision <= 0.5
    )  # one of two: the query picture is ignored, and one is missing
    assert remarks(found) == [
        "1 relevant picture is not in the index and counted as not found.",
        "few-marks is not rated: 2 of the first 8 results are marked; at least 5 are needed.",
    ]


def test_boxes_pictures_and_names_are_exported(tmp_path, jpeg):
    dataset = read_csv_folder(unpacked(dataset_zip([search()], jpeg), tmp_path))
    (query,) = dataset.queries
    assert (query.name, query.box, dataset.objects) == ("red-mug", BOX, {"red-mug": "red mug"})
    assert query.image.read_bytes() == jpeg(KEY)
    assert dataset.labels["all"].relevant == {"red-mug": {"0.png", "3.png"}}
    with Pillow.open(query.image) as picture:
        assert not picture.getexif()


def test_context_enlarges_the_box_and_own_pictures_are_ignored(tmp_path, jpeg):
    one = replace(search(context=1.5, negatives=("1.png", "copy.png")), own=("3.png", "copy.png"))
    dataset = read_csv_folder(unpacked(dataset_zip([one], jpeg), tmp_path))
    assert dataset.queries[0].box == Box(0, 0, 96, 96)
    labels = dataset.labels["all"]
    assert (labels.relevant, labels.ignored) == ({"red-mug": {"0.png"}}, {"red-mug": {"3.png", "copy.png"}})
    assert (labels.wrong, dataset.protocol) == ({"red-mug": {"1.png"}}, "judged")


def test_names_become_safe_and_stay_unique(tmp_path, jpeg):
    names = ["Mug 2", "mug", "MUG", "../../etc", "=1+1", "!!!", "???", "Füße, 赤い", "x" * 80, "x" * 79]
    dataset = read_csv_folder(unpacked(dataset_zip([search(name) for name in names], jpeg), tmp_path))
    queries = [query.name for query in dataset.queries]
    assert queries == [
        *("mug-2", "mug", "mug-3", "etc", "1-1", "search", "search-2", "füsse-赤い", "x" * 40, "x" * 40 + "-2")
    ]
    assert dataset.objects["1-1"] == "'=1+1" and dataset.objects["etc"] == "../../etc"


def test_searches_on_one_picture_share_it(tmp_path, jpeg):
    folder = unpacked(dataset_zip([search("a"), search("b")], jpeg), tmp_path)
    assert [path.name for path in (folder / "queries").iterdir()] == [f"{KEY}.jpg"]
    assert len(read_csv_folder(folder).queries) == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"examples": (Example(KEY, BOX), Example(KEY, BOX, "also"))}, "more than one box"),
        ({"folder": "below"}, "one folder"),
        ({"positives": ()}, "No result is marked"),
        ({"examples": ()}, "no box"),
    ],
)
def test_searches_that_do_not_fit_are_left_out_with_the_reason(tmp_path, jpeg, changes, why):
    other = search("other", **changes)
    assert why in unfit(other) and not unfit(search())
    folder = unpacked(dataset_zip([other, search()], jpeg), tmp_path)
    assert [query.name for query in read_csv_folder(folder).queries] == ["red-mug"]
    readme = (folder / "README.txt").read_text()
    assert f"- other: {unfit(other)}" in readme
    assert f"boxfind evaluate --index INDEX --dataset {FOLDER}" in readme


def test_searches_on_a_missing_picture_are_left_out(tmp_path, jpeg):
    def gone(key: str) -> bytes:
        if key != KEY:
            raise UnreadableImage("gone", "mug.jpg is not there.")
        return jpeg(key)

    other = search("other", examples=(Example("c" * 64, BOX),))
    folder = unpacked(dataset_zip([other, search()], gone), tmp_path)
    assert [query.name for query in read_csv_folder(folder).queries] == ["red-mug"]
    assert "- other: mug.jpg is not there." in (folder / "README.txt").read_text()


def test_the_same_searches_make_the_same_file(jpeg):
    searches = [search("a"), search("b", negatives=("1.png",))]
    assert dataset_zip(searches, jpeg) == dataset_zip(searches, jpeg)
    reordered = [replace(one, request=replace(one.request, positives=one.request.positives[::-1])) for one in searches]
    assert dataset_zip(reordered, jpeg) == dataset_zip(searches, jpeg)


def test_a_reencoded_picture_keeps_its_size_and_nearly_its_pixels(draw):
    image = draw(3)
    again = decode_image(jpeg_in_full_size(image))
    assert again.shape == image.shape
    assert np.abs(again.astype(int) - image).mean() < 2
