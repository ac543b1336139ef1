"""compare-networks: measures networks on a collection, and leaves nothing behind."""

import json
import os
import signal
from pathlib import Path

import pytest
from PIL import Image as Pillow

from boxfind.evaluation import compare_networks
from index.building import build as build_module
from tests.tiny import draw_picture, use_tiny_network

BUNDLED = "efficientnet-lite0"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files; settings that keep a build of the tiny network short."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    for name, value in {"REGIONS": "whole,grid", "SIDE": "128", "KEYPOINTS": "100", "WORKERS": "1"}.items():
        monkeypatch.setenv(f"BOXFIND_{name}", value)
    use_tiny_network(monkeypatch)
    return tmp_path / "temporary"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number in range(12):
        Pillow.fromarray(draw_picture(number, 128, 96)).save(tmp_path / "pictures" / f"{number:02d}.png")
    return tmp_path / "pictures"


def test_on_a_collection(boxfind, temporary: Path, pictures: Path, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("BOXFIND_DATA", str(tmp_path / "data"))
    assert boxfind("collections", "add", "My pictures", pictures).code == 0
    before = sorted((tmp_path / "data").rglob("*"))
    result = boxfind("compare-networks", BUNDLED, BUNDLED, "--on", "my pictures", "--pictures", 10, "--json")
    assert result.code == 0, result
    told = json.loads(result.out)
    assert [one["network"] for one in told["networks"]] == [BUNDLED, BUNDLED] and told["crops"] == 10
    first, second = ({k: v for k, v in one.items() if "P@1" in k or "MRR" in k} for one in told["networks"])
    assert first == second and first.keys() == {"fast P@1", "fast MRR", "best P@1", "best MRR"}
    assert {pair["verdict"] for pair in told["pairs"]} == {"no clear difference"}
    assert not list(temporary.iterdir()) and sorted((tmp_path / "data").rglob("*")) == before


def test_with_labels_on_the_pictures_of_the_data_set(boxfind, temporary: Path, tmp_path: Path):
    for number in range(6):
        folder = tmp_path / "objects" / f"object {number // 3}"
        folder.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(draw_picture(number // 3, 128 + number, 96)).save(folder / f"{number}.png")
    result = boxfind("compare-networks", BUNDLED, "auto", "--dataset", tmp_path / "objects")
    assert result.code == 0, result
    assert "fast mAP" in result.out and "mAP +0.000" in result.out
    assert f"6 pictures of {tmp_path / 'objects'}, 6 crops" in result.err
    assert result.out.splitlines()[-1].startswith(f"There is no clear difference between {BUNDLED} and {BUNDLED}")
    assert not list(temporary.iterdir())


def test_missing_weights_are_told_before_anything_is_built(boxfind, temporary: Path, pictures: Path, monkeypatch):
    monkeypatch.setenv("BOXFIND_GALLERY", str(pictures))
    monkeypatch.setattr(compare_networks, "measure", lambda *_: pytest.fail("an index was built"))
    boxfind("compare-networks", BUNDLED, "resnet18").assert_failed("resnet18-f37072fd.pth", "curl")
    boxfind("compare-networks", BUNDLED, "resnet81").assert_failed("resnet81", "resnet18")


def test_wrong_usage(boxfind, pictures: Path):
    alone = boxfind("compare-networks", BUNDLED)
    assert alone.code == 2 and "two networks" in alone.err
    boxfind("compare-networks", BUNDLED, BUNDLED, "--on", "nothing").assert_failed("nothing")
    boxfind("compare-networks", BUNDLED, BUNDLED, "--dataset", pictures / "none").assert_failed("does not exist")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_nothing_behind(boxfind, temporary: Path, pictures: Path, monkeypatch, number):
    monkeypatch.setenv("BOXFIND_GALLERY", str(pictures))

    def stop(*_: object) -> None:
        assert list(temporary.iterdir())
        os.kill(os.getpid(), number)

    monkeypatch.setattr(build_module, "assemble", stop)
    boxfind("compare-networks", BUNDLED, BUNDLED).assert_failed("Stopped", "deleted")
    assert not list(temporary.iterdir())


def test_it_says_how_to_switch(monkeypatch, pictures: Path, tmp_path: Path, boxfind, temporary: Path):
    from boxfind.commands.compare_networks import _switch
    from boxfind.settings import Settings

    settings = Settings.load(gallery=pictures, index=tmp_path / "index")
    told = _switch(settings, "vgg16")
    assert f"`boxfind build --gallery {pictures} --index {tmp_path / 'index'} --backbone vgg16`" in told
    assert "`boxfind build --collection Home --backbone x`" in _switch(settings.changed(collection="Home"), "x")
    for told in (_switch(settings.changed(backbone="resnet18"), "vgg16"), _switch(settings, "resnet50")):
        assert "set BOXFIND_BACKBONE=" in told and "--backbone" not in told  # otherwise the next update undoes it
    assert boxfind("build", "--gallery", pictures, "--index", tmp_path / "index").code == 0
    assert _switch(settings, BUNDLED) == "The index of this collection uses it already."
    assert "BOXFIND_BACKBONE=resnet50" in _switch(settings, "resnet50")
