"""The right network is taken, or the user is told why it is another; what it gives has the shape it says."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from retrieval import backbones
from retrieval.backbones import BACKBONES, BUNDLED, Backbone, choose_backbone
from retrieval.errors import UnknownName, WeightsMissing
from retrieval.torchvision_compat import import_torchvision
from retrieval.weights import file_sha256, need_weights


@pytest.fixture(scope="module")
def untrained_resnet50(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the form torchvision publishes trained ones in."""
    import_torchvision()
    from torchvision.models import resnet50

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet50-11ad3fa6.pth"
    torch.save(resnet50(weights=None).state_dict(), path)
    return path


def test_offline_auto_takes_the_bundled_network_and_says_so():
    backbone, sentence = choose_backbone("auto", offline=True)
    assert backbone.name == BUNDLED == "efficientnet-lite0"
    assert sentence.startswith("Using efficientnet-lite0, which came with the installation. ")
    assert "resnet50-11ad3fa6.pth" in sentence and "offline" in sentence and sentence.endswith(".")


def test_offline_a_network_asked_for_by_name_is_not_replaced():
    with pytest.raises(WeightsMissing, match=r"resnet50-11ad3fa6\.pth"):
        choose_backbone("resnet50", offline=True)
    assert choose_backbone("efficientnet-lite0", offline=True) == (BACKBONES["efficientnet-lite0"], "")


def test_online_weights_that_cannot_be_fetched_are_as_good_as_offline(monkeypatch):
    def fail(*_: object) -> None:
        raise WeightsMissing("The network is away.")

    monkeypatch.setattr(backbones, "fetch_weights", fail)
    backbone, sentence = choose_backbone("auto", offline=False)
    assert backbone.name == BUNDLED and sentence.endswith("The network is away.")
    with pytest.raises(WeightsMissing, match="The network is away"):
        choose_backbone("resnet50", offline=False)


def test_weights_on_disk_are_taken_without_a_word(untrained_resnet50: Path, monkeypatch):
    monkeypatch.setattr(backbones, "find_weights", lambda weights: untrained_resnet50)
    assert choose_backbone("auto", offline=True) == (BACKBONES["resnet50"], "")


def test_an_unknown_name():
    with pytest.raises(UnknownName, match="there are: efficientnet-lite0, resnet50"):
        choose_backbone("resnet51", offline=True)


def run(backbone: Backbone, weights: Path, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
    with torch.inference_mode():
        return tuple(np.asarray(layer) for layer in backbone.make(weights)(torch.from_numpy(pixels.copy())))


@pytest.mark.parametrize(("height", "width"), [(256, 256), (128, 224)])
def test_resnet50_gives_the_maps_it_promises(untrained_resnet50: Path, draw, height, width):
    backbone = BACKBONES["resnet50"]
    coarse, fine = run(backbone, untrained_resnet50, draw(1, width, height)[None])
    assert backbone.channels == (2048, 1024)
    assert coarse.dtype == fine.dtype == np.float32
    assert coarse.shape == (1, 2048, height // 32, width // 32) and fine.shape == (1, 1024, height // 16, width // 16)
    assert min(coarse.min(), fine.min()) >= 0 and coarse.any() and fine.any()


def test_the_first_layer_is_torchvisions_own_last_one(untrained_resnet50: Path, draw):
    """Before its pooling; the finer one is what its last block was given."""
    from torchvision.models import resnet50

    whole = resnet50(weights=None).eval()
    whole.load_state_dict(torch.load(untrained_resnet50, weights_only=True))
    given = []
    whole.layer4.register_forward_hook(lambda _, inputs, output: given.extend((output, inputs[0])))
    pixels = draw(1, 128, 96)
    normalised = (pixels / 255 - backbones.IMAGENET_MEAN) / backbones.IMAGENET_STD
    with torch.inference_mode():
        whole(torch.tensor(normalised.transpose(2, 0, 1)[None], dtype=torch.float32))
    for layer, expected in zip(run(BACKBONES["resnet50"], untrained_resnet50, pixels[None]), given, strict=True):
        assert layer == pytest.approx(expected.numpy(), rel=1e-3, abs=1e-4)


def test_efficientnet_gives_the_maps_it_promises(draw):
    backbone = BACKBONES["efficientnet-lite0"]
    layers = run(backbone, need_weights(backbone.weights), np.stack([draw(1, 128, 96), draw(2, 128, 96)]))
    assert [layer.shape for layer in layers] == [(2, 1280, 3, 4), (2, 112, 6, 8)] and backbone.channels == (1280, 112)
    assert min(layer.std(axis=(2, 3)).mean() for layer in layers) > 0.01  # different things in different places
    assert layers[0].min() >= 0 > layers[1].min()  # the finer one has either sign


def test_normalisation_is_the_networks_first_layer(untrained_resnet50: Path):
    """Pixels of the mean colour of ImageNet reach the network as zeros, and one standard deviation as ones."""
    network = BACKBONES["resnet50"].make(untrained_resnet50)
    reached = []
    network.body[0].register_forward_pre_hook(lambda _, inputs: reached.append(inputs[0]))
    mean = np.array(backbones.IMAGENET_MEAN) * 255
    std = np.array(backbones.IMAGENET_STD) * 255
    for colour in (mean, mean + std):
        with torch.inference_mode():
            network(torch.tensor(np.broadcast_to(colour, (1, 64, 64, 3)).copy()))
    assert reached[0].shape == (1, 3, 64, 64)
    assert reached[0].numpy() == pytest.approx(0, abs=1e-5)
    assert reached[1].numpy() == pytest.approx(1, abs=1e-5)


def test_weights_are_read_as_numbers_and_never_as_code(tmp_path: Path):
    path = tmp_path / "bad.pth"
    torch.save({"conv1.weight": re.compile("code")}, path)
    with pytest.raises(Exception, match=r"[Ww]eights.only|Unsupported"):
        BACKBONES["resnet50"].make(path)


def test_the_table_calls_each_by_its_name_and_pins_its_weights():
    for name, backbone in BACKBONES.items():
        assert backbone.name == name and len(backbone.weights.sha256) == 64
        assert backbone.weights.sha256[:8] in backbone.weights.file
        assert (backbone.weights.package is None) != (backbone.weights.url is None)
    bundled = BACKBONES[BUNDLED].weights
    assert file_sha256(need_weights(bundled)) == bundled.sha256
    with pytest.raises(WeightsMissing):
        need_weights(replace(bundled, sha256="0" * 64))
