"""Networks measured on a sample: the same network twice, a damaged one, and what is left behind."""

from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind import embedders, loaded_networks
from boxfind.evaluation import network_report
from boxfind.evaluation.compare_networks import NO_PICTURE, Network, measure, ranks_of, shared_hits
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.evaluation.network_sample import Crop, choose_files, make_crops
from boxfind.settings import Settings
from index.storage.folder_scan import ScannedFile
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.errors import BuildCancelled
from retrieval.networks.backbones import BACKBONES, BUNDLED
from retrieval.types import Image, Layers, Pixels, quiet
from tests.tiny import draw_picture, tiny_run

PICTURES, CROPS = 12, 8
DAMAGED = "torchvision:resnet18"
"""The name under which the damaged network is asked for."""


def damaged_run(pixels: Pixels) -> Layers:
    """The tiny network with its weights replaced by noise that depends on every pixel."""
    (layer,) = tiny_run(pixels)
    rng = np.random.default_rng(int(pixels.sum()) % 2**32)
    return (rng.random(layer.shape, dtype=np.float32),)


def coloured_picture(seed: int) -> Image:
    """A drawn picture with a tint of its own, which the tiny network sees in crops of any size and angle."""
    tint = np.random.default_rng(100 + seed).integers(0, 256, 3)
    return (0.3 * draw_picture(seed, 192, 160) + 0.7 * tint).astype(np.uint8)


def use_two_tiny_networks(patch: pytest.MonkeyPatch) -> None:
    def embedder(recipe: Recipe, *_: object, **__: object) -> Embedder:
        return Embedder(recipe, damaged_run if recipe.backbone == DAMAGED else tiny_run)

    for module in (embedders, loaded_networks):
        patch.setattr(module, "embedder_for_searching", embedder)
    patch.setattr(embedders, "load_classifier", lambda *_: None)
    patch.setattr(embedders, "need_weights", lambda *_: Path("weights"))
    patch.setattr(embedders, "choose_backbone", lambda name, *_: (replace(BACKBONES[BUNDLED], name=name), ""))


@pytest.fixture
def settings(tmp_path: Path, shared_pool: None, monkeypatch: pytest.MonkeyPatch) -> Settings:
    use_two_tiny_networks(monkeypatch)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for number in range(PICTURES):
        folder = tmp_path / "gallery" / f"object {number // 3}"
        folder.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(coloured_picture(number)).save(folder / f"{number:02d}.png")
    return Settings.load(
        **{"gallery": tmp_path / "gallery", "index": tmp_path / "index", "regions": "whole,grid"},
        **{"side": 128, "query_side": 128, "mid_layer_weight": 0.0, "keypoints": 100, "workers": 1},
    )


@pytest.fixture
def sample(settings: Settings) -> tuple[list[ScannedFile], list[Crop]]:
    files = choose_files(settings, PICTURES)
    return files, make_crops(files, False, quiet, CROPS)


def measured(settings: Settings, sample, name: str = "efficientnet-lite0", progress=quiet, labelled=None) -> Network:
    return measure(settings.changed(backbone=name), *sample, labelled, progress)


def test_one_network_twice_gives_the_same_figures_and_a_damaged_one_is_clearly_worse(settings, sample):
    first, again, worse = (
        measured(settings, sample, name) for name in ("efficientnet-lite0", "efficientnet-lite0", DAMAGED)
    )
    for ranking in ("fast", "best"):
        assert np.array_equal(first.found[ranking].hits, again.found[ranking].hits)
        assert network_report.difference(first, again, ranking).verdict == "no clear difference"
    assert "no clear difference" in network_report.verdict([first, again], lambda name: f"use {name}")
    assert (first.found["fast"].ranks == 1).mean() > 0.6
    found = network_report.difference(worse, first, "fast")
    assert found.is_clear and found.mean.value < 0 and found.verdict == "efficientnet-lite0 is better"
    assert network_report.verdict([worse, first], lambda name: f"use {name}").endswith("use efficientnet-lite0")
    assert (first.pictures, first.found["fast"].hits.shape) == (PICTURES, (CROPS, 10))
    assert first.vector_bytes > 0 and first.pictures_a_second > 0 and (first.found["best"].seconds > 0).all()
    assert not list(Path(gettempdir()).iterdir()) and not settings.index_dir.exists()


def test_labels_add_evaluations(settings, sample):
    labelled = read_dataset(settings.gallery_dir, "folders")
    files, crops = sample
    found = measured(settings, (files, crops[:1]), labelled=labelled)
    assert {ranking: found.evaluations[ranking].queries for ranking in found.evaluations} == dict.fromkeys(
        ("fast", "best"), PICTURES
    )


def test_a_stop_leaves_nothing_behind(settings, sample):
    stages = set()

    def stop(stage: str, done: int, total: int) -> None:
        stages.add(stage)
        if "Searching" in stage:
            assert list(Path(gettempdir()).iterdir())  # the index is there while it is searched
            raise BuildCancelled("stop")

    with pytest.raises(BuildCancelled):
        measured(settings, sample, progress=stop)
    assert "efficientnet-lite0: Looking for pictures" in stages
    assert not list(Path(gettempdir()).iterdir())


def test_ranks():
    hits = np.array([[4, 2, 7], [1, 0, NO_PICTURE], [5, 5, 6], [NO_PICTURE] * 3])
    assert ranks_of(hits, np.array([7, 3, 5, 0])).tolist() == [3, 0, 1, 0]


def test_shared_hits():
    first = np.array([[1, 2, 3], [1, 2, NO_PICTURE], [NO_PICTURE] * 3])
    second = np.array([[3, 1, 9], [1, NO_PICTURE, NO_PICTURE], [NO_PICTURE] * 3])
    assert shared_hits(first, second).tolist() == [2, 1, 0]
    assert shared_hits(second, first).tolist() == [2, 1, 0]
    assert shared_hits(first, first).tolist() == [3, 2, 0]
