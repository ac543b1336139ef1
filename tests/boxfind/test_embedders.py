"""The recipe of a new index follows from the settings and is stored completely."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from boxfind import embedders
from boxfind.embedders import (
    embedder_for_building,
    embedder_in_a_cluster,
    make_recipe,
    region_sources,
)
from boxfind.settings import BadSetting, Settings
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.projection_head import HeadFacts, write_head
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import BadHead, GalleryProblem, RuntimeMissing
from retrieval.networks.backbones import BACKBONES, find_backbone
from retrieval.networks.openvino_runtime import NotConvertible
from retrieval.types import quiet

LITE0 = BACKBONES["efficientnet-lite0"]
CHANNELS = sum(LITE0.channels)


@pytest.fixture
def no_network(monkeypatch) -> None:
    """Replace the network; these tests cover only the code around it."""
    monkeypatch.setattr(
        embedders, "embedder_for_searching", lambda recipe, *_, **__: Embedder(recipe, lambda pixels: ())
    )


def recipe_of(settings: Settings, backbone=LITE0):
    return make_recipe(backbone, settings, region_sources(settings)[0], "float32")


def test_a_detector_without_weights_is_replaced_with_a_note():
    settings = Settings.load(regions=("whole", "detector", "sam", "grid"), offline=True)
    sources, notes = region_sources(settings)
    assert list(sources) == ["whole", "proposals", "grid"]
    assert len(notes) == 2 and all("Using the region detector proposals" in note for note in notes)
    assert recipe_of(settings).regions == ("whole", "proposals", "grid")
    assert recipe_of(settings).detectors == ("", "", "")


def test_an_unknown_region_source_lists_all_sources():
    with pytest.raises(BadSetting, match="detector, grid, proposals, sam, whole"):
        Settings.load(regions=("gird",))


def test_region_sources_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("BOXFIND_REGIONS", "whole, proposals,grid")
    assert Settings.load().build.regions == ("whole", "proposals", "grid")


def test_the_recipe_has_the_keypoints_of_the_settings():
    assert [recipe_of(Settings.load(keypoints=count)).keypoints for count in (0, 500)] == [0, 500]


def test_a_network_with_a_text_encoder_has_no_whitening():
    recipe = recipe_of(Settings.load(), find_backbone("clip-rn50"))
    assert (recipe.pooling, recipe.mid_layer_weight, recipe.whitening) == ("gap", 0.0, "none")


@pytest.mark.usefixtures("no_network")
def test_a_build_embedder_has_a_classifier_and_detectors():
    embedder, _ = embedder_for_building(Settings.load(regions=("whole", "proposals"), offline=True), quiet)
    assert embedder.classifier is not None and embedder.classifier.weight.shape == (1000, LITE0.channels[0])
    assert list(embedder.detectors) == ["proposals"] and embedder.whitening is None
    assert embedder.detectors["proposals"](np.zeros((96, 128, 3), np.uint8)) == []


@pytest.mark.usefixtures("no_network")
def test_without_whitening_vectors_are_unchanged():
    embedder, _ = embedder_for_building(Settings.load(whitening="none", offline=True), quiet)
    vectors = np.abs(np.random.default_rng(0).normal(size=(3, CHANNELS))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert embedder.whitening is not None
    assert embedder.whitening.apply(vectors) == pytest.approx(vectors, abs=1e-6)


@pytest.mark.usefixtures("no_network")
def test_a_head_replaces_the_whitening_and_is_part_of_the_recipe(tmp_path: Path):
    plain, given = Settings.load(offline=True), Settings.load(offline=True, head=tmp_path / "head.safetensors")
    with pytest.raises(BadHead, match="does not exist; create one with `boxfind finetune`"):
        embedder_for_building(given, quiet)
    rng = np.random.default_rng(1)
    head = Whitening("finetuned", np.zeros(CHANNELS, np.float32), rng.normal(size=(CHANNELS, 4)).astype(np.float32))
    write_head(tmp_path / "head.safetensors", head, HeadFacts.of(recipe_of(plain)))
    embedder, _ = embedder_for_building(given, quiet)
    assert embedder.whitening is not None and np.array_equal(embedder.whitening.projection, head.projection)
    assert len(embedder.recipe.whitening) == 64 and embedder.recipe != recipe_of(plain)
    with pytest.raises(BadHead, match="pooling"):
        embedder_for_building(given.changed(pooling="mac"), quiet)


@pytest.mark.usefixtures("no_network")
def test_int8_is_calibrated_on_the_gallery(gallery, tmp_path, monkeypatch):
    seen = []

    def quantise(make, converted, examples):
        seen.extend(examples())
        return "int8-0123456789ab"

    monkeypatch.setattr(embedders, "quantise", quantise)
    settings = Settings.load(gallery=gallery, data=tmp_path, side=128, precision="int8", backbone=LITE0.name)
    embedder, _ = embedder_for_building(settings, quiet)
    assert embedder.recipe.precision == "int8-0123456789ab"
    assert 5 < len(seen) <= 100 and all(pixels.shape == (1, 96, 128, 3) for pixels in seen)


def test_a_network_that_cannot_run_in_int8_is_named(gallery, tmp_path, monkeypatch):
    def refuse(*_: object) -> str:
        raise NotConvertible("OpenVINO computes other features than the original network.")

    monkeypatch.setattr(embedders, "quantise", refuse)
    settings = Settings.load(gallery=gallery, data=tmp_path, side=128, precision="int8", backbone=LITE0.name)
    with pytest.raises(RuntimeMissing, match=r"efficientnet-lite0 cannot run in int8: .* Choose another precision\."):
        embedder_for_building(settings, quiet)


@pytest.mark.usefixtures("no_network")
def test_int8_calibration_pictures_are_evenly_spread_over_the_gallery(tmp_path, monkeypatch):
    read = []

    def decode_file(pool, path, side, stride):
        read.append(int(path.stem))
        return SimpleNamespace(pixels=np.zeros((2, 2, 3), np.uint8))

    found = [SimpleNamespace(path=Path(f"{number}.jpg")) for number in range(150)]
    monkeypatch.setattr(embedders, "find_pictures", lambda *_: (found, []))
    monkeypatch.setattr(embedders.DecoderPool, "decode_file", decode_file)
    monkeypatch.setattr(embedders, "quantise", lambda make, converted, examples: f"int8-{len(examples())}")
    settings = Settings.load(data=tmp_path, precision="int8", backbone=LITE0.name)
    assert embedder_for_building(settings, quiet)[0].recipe.precision == "int8-100"
    assert {second - first for first, second in pairwise(read)} == {1, 2} and read[0] < 2 and read[-1] > 147


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("changes", "ignored"),
    [({}, ""), ({"pooling": "gap"}, ""), ({"pooling": "mac", "head": Path("x")}, "ignored settings: pooling, head.")],
)
def test_a_backbone_with_a_text_encoder_notes_the_settings_it_ignores(monkeypatch, changes, ignored):
    monkeypatch.setattr(embedders, "choose_backbone", lambda *_: (find_backbone("clip-rn50"), ""))
    _, note = embedder_for_building(Settings.load(**changes), quiet)
    assert note.endswith(ignored) and bool(note) == bool(ignored)


@pytest.mark.usefixtures("no_network")
def test_a_runtime_without_int8_falls_back_to_float32(monkeypatch):
    monkeypatch.setattr(embedders, "quantise", lambda *_: pytest.fail("torch would run in float32"))
    settings = Settings.load(precision="int8", runtime="torch-cpu", backbone=LITE0.name)
    embedder, note = embedder_for_building(settings, quiet)
    assert embedder.recipe.precision == "float32" and "cannot compute in int8" in note


@pytest.mark.usefixtures("no_network")
def test_int8_calibration_needs_a_readable_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(embedders, "quantise", lambda make, converted, examples: examples())
    with pytest.raises(GalleryProblem, match="no readable pictures for int8 calibration"):
        embedder_for_building(Settings.load(gallery=tmp_path, precision="int8", backbone=LITE0.name), quiet)


@pytest.mark.usefixtures("no_network")
def test_an_unavailable_precision_is_replaced_with_a_note():
    embedder, note = embedder_for_building(
        Settings.load(precision="float16", runtime="torch-cpu", backbone=LITE0.name), quiet
    )
    assert embedder.recipe.precision == "float32"
    assert "cannot compute in float16; it uses float32." in note


def test_a_cluster_worker_needs_the_precision_of_the_recipe(tmp_path: Path, no_network):
    settings = Settings.load(backbone=LITE0.name, offline=True, data=tmp_path)
    recipe = embedder_for_building(settings, quiet)[0].recipe
    assert embedder_in_a_cluster(recipe, settings).recipe == recipe
    with pytest.raises(RuntimeMissing, match=r"cannot compute in int8-0123, .*BOXFIND_PRECISION"):
        embedder_in_a_cluster(replace(recipe, precision="int8-0123"), settings)
