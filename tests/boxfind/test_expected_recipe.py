"""What an update will change is known before it starts, as far as no download decides it."""

from dataclasses import replace
from pathlib import Path

import pytest

from boxfind import embedders
from boxfind import expected_recipe as module
from boxfind.embedders import embedder_for_building, make_recipe, region_sources
from boxfind.expected_recipe import expected_recipe
from boxfind.settings import Settings
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe, recipe_changes
from retrieval.networks.backbone import Backbone
from retrieval.networks.backbones import BACKBONES, find_backbone
from retrieval.networks.runtimes import choose_runtime
from retrieval.types import quiet

LITE0 = BACKBONES["efficientnet-lite0"]


def recipe_of(settings: Settings, backbone: Backbone = LITE0) -> Recipe:
    return make_recipe(backbone, settings, region_sources(settings)[0], choose_runtime()[1])


def expected(recipe: Recipe, **settings: object) -> list[str]:
    return recipe_changes(recipe, expected_recipe(recipe, Settings.load(**settings)))


def have_weights_of(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    files = [find_backbone(name).weights.file for name in names]
    monkeypatch.setattr(module, "has_file", lambda weights: weights.file in files)


@pytest.fixture
def recipe() -> Recipe:
    return recipe_of(Settings.load())


def test_the_settings_decide(recipe, tmp_path: Path):
    assert expected(recipe) == []
    assert expected(recipe, keypoints=0) == ["keypoints changed from 500 to 0"]
    assert expected(recipe, head=tmp_path / "head.safetensors") == []
    assert expected(recipe, backbone="resnet50")[0] == "backbone changed from efficientnet-lite0 to resnet50"
    assert expected(replace(recipe, backbone="gone"), backbone="auto", offline=False) == []
    assert expected(recipe, regions=("whole", "grid")) == [
        "region sources changed from whole, proposals, grid to whole, grid"
    ]


def test_r75_the_weights_on_this_machine_decide_on_the_backbone(recipe, monkeypatch):
    resnet50 = replace(recipe, backbone="resnet50", weights_sha256=find_backbone("resnet50").weights.sha256)
    vgg16 = recipe_of(Settings.load(), find_backbone("vgg16"))
    have_weights_of(monkeypatch, "resnet50", "vgg16")
    assert expected(recipe)[0] == "backbone changed from efficientnet-lite0 to resnet50"
    assert expected(resnet50) == expected(vgg16) == []  # somebody chose the other one
    have_weights_of(monkeypatch)
    for before in (resnet50, vgg16):
        assert expected(before, offline=True)[0].endswith("to efficientnet-lite0")
    assert expected(resnet50, offline=False) == expected(recipe, offline=False) == []  # a download decides


def test_r75_the_weights_on_this_machine_decide_on_the_detector(recipe, monkeypatch):
    wanted = {"regions": ("whole", "detector", "grid")}
    have_weights_of(monkeypatch, "fasterrcnn-resnet50")
    assert "region sources changed from whole, proposals, grid to whole, detector, grid" in expected(recipe, **wanted)
    have_weights_of(monkeypatch)
    assert expected(recipe, **wanted, offline=True) == expected(recipe, **wanted, offline=False) == []


def test_r75_auto_keeps_the_precision_of_the_index_if_this_machine_has_it(recipe, monkeypatch):
    monkeypatch.setattr(
        embedders, "choose_runtime", lambda name, wanted: (None, wanted if wanted == "float32" else "bfloat16")
    )
    assert expected(replace(recipe, precision="float32")) == []
    assert expected(replace(recipe, precision="float16")) == ["precision changed from float16 to bfloat16"]
    assert expected(replace(recipe, precision="int8-0123")) == ["precision changed from int8-0123 to bfloat16"]


def test_r75_a_precision_that_was_asked_for_is_a_change(recipe, tmp_path: Path):
    bfloat16 = replace(recipe, precision="bfloat16")
    assert expected(bfloat16, precision="float32") == ["precision changed from bfloat16 to float32"]
    assert expected(recipe, precision="int8", data=tmp_path) == [
        f"precision changed from {recipe.precision} to int8 (still to be calibrated)"
    ]
    converted = embedders.cache_file(LITE0, Settings.load(data=tmp_path), "xml")
    converted.parent.mkdir()
    converted.with_name(f"{converted.stem}-int8-0123.xml").touch()
    assert expected(replace(recipe, precision="int8-0123"), precision="int8", data=tmp_path) == []


def test_r75_a_build_computes_in_the_precision_of_the_index(recipe, monkeypatch):
    monkeypatch.setattr(
        embedders, "embedder_for_searching", lambda recipe, *_, **__: Embedder(recipe, lambda pixels: ())
    )
    monkeypatch.setattr(embedders, "choose_runtime", lambda name, wanted: (None, wanted or "bfloat16"))
    made = [
        embedder_for_building(Settings.load(backbone=LITE0.name, **asked), quiet, before)[0].recipe.precision
        for asked, before in [({}, None), ({}, recipe), ({"precision": "bfloat16"}, recipe)]
    ]
    assert made == ["bfloat16", recipe.precision, "bfloat16"]
