"""Programs are compared on a part of a data set, each in its own process, with the same network."""

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from benchmarks import side_by_side
from benchmarks.measured_process import ProcessFailed, in_measured_process
from benchmarks.other_tools import Outcome, clip_retrieval, img2vec, lite0_of_timm, timm_and_faiss
from benchmarks.part_of_dataset import part_of_dataset
from boxfind.evaluation.dataset import BoxedQuery, Dataset, Labels
from boxfind.evaluation.metrics import Quality
from boxfind.settings import Settings
from retrieval.networks.backbones import BACKBONES, BUNDLED
from retrieval.networks.weights import need_weights
from retrieval.types import Box
from tests.tiny import draw_picture

OBJECTS = ("cup", "jug", "mug")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """12 pictures, one in a sub-folder: four of each of three objects. The last of an object is ignored."""
    gallery, queries, relevant, ignored = tmp_path / "gallery", [], {}, {}
    (gallery / "more").mkdir(parents=True)
    for which, name in enumerate(OBJECTS):
        images = [f"{name}-{number}.jpg" for number in range(4)]
        images[0] = f"more/{images[0]}" if name == "cup" else images[0]
        for number, image in enumerate(images):
            Pillow.fromarray(draw_picture(4 * which + number)).resize((320, 240)).save(gallery / image)
        queries.append(BoxedQuery(name, gallery / images[0], Box(10, 10, 200, 200)))
        relevant[name], ignored[name] = set(images[:3]), {images[3]}
    labels = {"all": Labels(relevant, ignored)}
    return Dataset("drawn", gallery, queries, labels, {name: name for name in OBJECTS})


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("count", [3, 5, 7, 12])
def test_a_part_holds_all_pictures_of_its_objects(dataset, tmp_path, count):
    part = part_of_dataset(dataset, count, tmp_path / "part")
    assert len(files(part.gallery)) == count and files(part.gallery) <= files(dataset.gallery)
    assert len(part.queries) == min(count // 3, 3)
    labels = part.labels["all"]
    assert labels.relevant.keys() == {query.name for query in part.queries} == labels.ignored.keys()
    assert set().union(*labels.relevant.values()) <= files(part.gallery)
    assert labels.wrong is None and part.objects == dataset.objects


def test_a_part_is_the_same_each_time(dataset, tmp_path):
    first, second = (part_of_dataset(dataset, 5, tmp_path / name) for name in ("first", "second"))
    assert files(first.gallery) == files(second.gallery) and first.queries == second.queries


def test_the_memory_of_a_process_and_its_children_is_measured():
    code = "import numpy, time; held = numpy.ones(25_000_000); time.sleep(1.5)"  # 200 MB
    result, most = in_measured_process(subprocess.call, [sys.executable, "-c", code])
    assert result == 0 and 200e6 < most < 600e6


def test_a_failed_process_says_why():
    with pytest.raises(ProcessFailed, match="ModuleNotFoundError: No module named 'missing_package'"):
        in_measured_process(__import__, "missing_package")
    with pytest.raises(ProcessFailed, match="ended without a result"):
        in_measured_process(os._exit, 3)


@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")
def test_the_network_of_timm_is_the_bundled_one():
    ours = BACKBONES[BUNDLED].make(need_weights(BACKBONES[BUNDLED].weights))
    pictures = [Pillow.fromarray(draw_picture(number)).resize((224, 224)) for number in (1, 2)]
    pixels = torch.from_numpy(np.stack(pictures))
    scaled = (pixels.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.inference_mode():
        expected = ours(pixels)[0]
        assert torch.allclose(lite0_of_timm(pooled=False)(scaled), expected, atol=1e-4)
        assert torch.allclose(lite0_of_timm(pooled=True)(scaled), expected.mean(dim=(2, 3)), atol=1e-4)


@pytest.mark.parametrize(
    ("tool", "package"), [(timm_and_faiss, "timm"), (img2vec, "img2vec_pytorch"), (clip_retrieval, "clip_retrieval")]
)
def test_a_tool_finds_the_picture_itself_first(tool, package, dataset):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    if package == "clip_retrieval" and sys.platform != "linux":
        pytest.skip("its readers need the start method fork")
    crops = [np.asarray(Pillow.open(dataset.gallery / name)) for name in ("jug-1.jpg", "more/cup-0.jpg")]
    [found], memory = in_measured_process(tool, dataset.gallery, crops)
    assert [ranked[0] for ranked in found.ranked] == ["jug-1.jpg", "more/cup-0.jpg"]
    assert all(set(ranked) == files(dataset.gallery) for ranked in found.ranked)
    assert found.seconds > 0 and len(found.query_seconds) == 2 and memory > 100e6


def test_rows_are_rated_without_ignored_pictures(dataset):
    (query,) = queries = [dataset.queries[1]]
    ranked = ["jug-3.jpg", "jug-0.jpg", "cup-1.jpg", "jug-1.jpg", "jug-2.jpg"]
    outcome = Outcome(2.0, 1.0, [0.1, 0.3, 0.2], [ranked])
    (row,) = side_by_side._measured(["x"], [outcome], 5_000_000, replace(dataset, queries=queries))
    assert row.quality.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert (row.rate, row.query, row.vectors, row.memory) == (6, 0.2, 1.0, 5_000_000)  # 12 pictures in two seconds
    assert side_by_side._cells(row) == ["x", "6.0", "1", "5", "0.806", "1.000", "200"]
    assert query.name == "jug"


def measured(name: str, rate: float, average_precision: float) -> side_by_side.Measured:
    return side_by_side.Measured(name, rate, 1, 10**9, Quality(average_precision, *[0.5] * 5), 0.05)


def test_rounds_give_their_medians():
    rows = [measured("x", rate, 0.5) for rate in (3, 1, 2)]
    assert side_by_side._median(rows) == measured("x", 2, 0.5)


def test_a_tool_that_cannot_run_is_named_with_the_reason(dataset, monkeypatch):
    monkeypatch.setattr(side_by_side, "OTHER_TOOLS", {"absent": os.listdir})  # takes other arguments
    monkeypatch.setattr(side_by_side, "OURS", {})
    rows, problems = side_by_side._round(dataset, Settings.load())
    assert rows == [] and problems.keys() == {"absent"} and problems["absent"].startswith("TypeError: ")


def test_the_plot_places_programs_by_speed_and_quality():
    drawn = ElementTree.fromstring(side_by_side.plot([measured("other", 10, 0.5), measured("Boxfind, best", 19, 1.0)]))
    circles = drawn.findall("{*}circle")
    assert [float(circle.get("cx")) for circle in circles] == [250, 421]  # 10 and 19 of 20 pictures a second
    assert [float(circle.get("cy")) for circle in circles] == [325, 50]  # the axis begins at 0.4
    texts = ["".join(text.itertext()) for text in drawn.findall("{*}text")]
    assert [re.sub(r"\s+", " ", text) for text in texts if "o" in text][-2:] == ["1 other", "2 Boxfind, best"]
