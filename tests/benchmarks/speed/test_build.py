"""Rates of a build, tutorial baselines and the figures computed from them."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.pictures import chosen, copied
from benchmarks.speed import build as speed_build
from benchmarks.speed.build import Rates, build_rates
from benchmarks.speed.random_weights import NAME, random_resnet50
from benchmarks.speed.tutorials import tutorial_loop
from boxfind.settings import Settings
from retrieval.descriptors.embedder import network_size
from retrieval.images.decode import load_image
from retrieval.images.resize import resize_image
from retrieval.networks.backbones import BACKBONES, choose_backbone
from retrieval.networks.weights import need_weights

RATES = Rates(
    square=2,
    loop=3,
    img2vec=float("nan"),
    build=8,
    looking=10,
    bare=12,
    network=20,
    decoding=60,
    keypoints=15,
    besides=3,
)


def test_ratios_compare_with_the_loop_and_the_limits():
    assert speed_build._ratios(RATES) == ["4.0 x", "5.0 x", "6.0 x", "4.0 x", "-", "67%", "80%", "133%"]
    assert len(speed_build._ratios(RATES)) == len(speed_build.RATIOS)


def test_every_figure_has_a_header():
    figures = speed_build._figures(RATES)
    assert len(figures) == len(speed_build.FIGURES)
    assert figures[-3:] == ["15.0", "7.5", "3.0"]


@pytest.mark.parametrize(("at_once", "looking", "build"), [(1, 5 / 2, 5 / 4), (6, 4 / 1.5, 4 / 3.5)])
def test_a_build_counts_after_startup(monkeypatch, at_once, looking, build):
    now = iter([10.0, *np.linspace(10, 14, 9).tolist()[1:], 14.0, 16.0])

    class Engine:
        def __init__(self, settings):
            assert not list(settings.index.iterdir())

        def build(self, progress):
            progress("Looking for pictures", 0, 0)
            for done in range(1, 11):
                progress(speed_build.LOOKING, done, 10)
            progress("Writing the index", 1, 10)

    monkeypatch.setattr(speed_build, "Engine", Engine)
    monkeypatch.setattr(speed_build, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    assert build_rates(Settings.load(), at_once) == pytest.approx((build, looking, 2))


def test_chosen_pictures_are_evenly_spaced_and_copied(gallery, tmp_path):
    paths = chosen(gallery, 3)
    assert [path.name for path in paths] in (["0.png", "4.png", "7.png"], ["0.png", "3.png", "7.png"])
    (gallery / "broken.png").write_bytes(b"no picture")
    assert len(chosen(gallery, 100)) == 8
    made = copied(paths, tmp_path / "new")
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in paths]
    assert sorted((tmp_path / "new").iterdir()) == made


def test_the_loop_and_the_backbone_see_the_same_pixels(gallery):
    backbone = BACKBONES["efficientnet-lite0"]
    network = backbone.make(need_weights(backbone.weights))
    path = gallery / "3.png"
    (vector,) = tutorial_loop(network, 128, "cpu")([path])
    image = resize_image(load_image(path), *network_size(128, 96, 128))
    with torch.inference_mode():
        layer = network(torch.from_numpy(np.array(image))[None])[0][0]
    assert np.allclose(vector, layer.mean(dim=(1, 2)).numpy(), atol=1e-4)


class Recorder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, batch):
        self.sizes.append(tuple(batch.shape[2:]))
        return batch


def test_tutorials_resize_pictures_to_squares(gallery):
    body = Recorder()
    network = SimpleNamespace(body=body, head=torch.nn.Identity(), mean=torch.zeros(1), std=torch.ones(1))
    for square in (True, False):
        tutorial_loop(network, 128, "cpu", square)([gallery / "3.png"])
    assert body.sizes == [(128, 128), (96, 128)]


def test_random_resnet50_weights_are_temporary(tmp_path):
    before = BACKBONES[NAME]
    with random_resnet50(tmp_path / "weights"):
        backbone, note = choose_backbone(NAME, offline=True)
        assert not note
        assert need_weights(backbone.weights).is_relative_to(tmp_path)
        assert dataclasses.replace(backbone, weights=before.weights) == before
    assert BACKBONES[NAME] is before
