"""Each network loads its published weights format and returns its two layers."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from retrieval.networks.architectures import IMAGENET_MEAN, IMAGENET_STD
from retrieval.networks.backbone import Backbone
from retrieval.networks.backbones import BUNDLED, find_backbone
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.networks.weights import need_weights

OF_TORCHVISION = {
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "efficientnet-b0": "efficientnet_b0",
    "efficientnet-b1": "efficientnet_b1",
    "efficientnet-b2": "efficientnet_b2",
}


def untrained(name: str) -> torch.nn.Module:
    """torchvision's network with random weights that keep activations in range through all layers."""
    import_torchvision()
    from torchvision.models import get_model

    torch.manual_seed(0)
    network = get_model(OF_TORCHVISION[name], weights=None).train()
    with torch.no_grad():
        for _ in range(12):  # makes the running means and variances converge
            network(torch.randn(4, 3, 96, 96))
    return network.eval()


@pytest.fixture(scope="module", params=OF_TORCHVISION)
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A backbone, torchvision's network, and a file with its random weights, in the format of the published file."""
    network = untrained(request.param)
    path = tmp_path_factory.mktemp("weights") / find_backbone(request.param).weights.file
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=request.param != "resnet18")
    return find_backbone(request.param), network, path


def run(backbone: Backbone, weights: Path, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
    with torch.inference_mode():
        return tuple(np.asarray(layer) for layer in backbone.make(weights)(torch.from_numpy(pixels.copy())))


def normalised(pixels: np.ndarray) -> torch.Tensor:
    values = (pixels / 255 - IMAGENET_MEAN) / IMAGENET_STD
    return torch.tensor(values.transpose(0, 3, 1, 2), dtype=torch.float32)


def test_layers_equal_those_of_torchvision(published, draw):
    """The first layer is the input of the pooling; the second is the input of the last stride-2 stage."""
    backbone, network, path = published
    pixels = draw(1, 128, 96)[None]
    seen: dict[str, torch.Tensor] = {}
    pooled, halved = ("layer4", "layer4") if hasattr(network, "layer4") else ("features", "features.6")
    network.get_submodule(pooled).register_forward_hook(lambda _, inputs, output: seen.update(coarse=output))
    network.get_submodule(halved).register_forward_pre_hook(lambda _, inputs: seen.update(fine=inputs[0]))
    with torch.inference_mode():
        network(normalised(pixels))
    coarse, fine = run(backbone, path, pixels)
    assert coarse.shape == (1, backbone.channels[0], 3, 4) and fine.shape == (1, backbone.channels[1], 6, 8)
    for layer, expected in ((coarse, seen["coarse"]), (fine, seen["fine"])):
        assert layer.dtype == np.float32 and float(expected.std()) > 1e-3
        assert layer == pytest.approx(expected.numpy(), rel=1e-2, abs=1e-3 * float(expected.abs().max()))


def test_weights_file_without_a_layer_is_refused(published, tmp_path: Path):
    backbone, network, _ = published
    state = network.state_dict()
    state.popitem()
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(RuntimeError, match="Missing key"):
        backbone.make(tmp_path / "part.pth")


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory: pytest.TempPathFactory):
    """Random VGG16 convolutions and a weights file with them and a small classifier."""
    import_torchvision()
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    layers = make_layers(cfgs["D"]).eval()
    for layer in layers:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    state = {f"features.{name}": tensor for name, tensor in layers.state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / find_backbone("vgg16").weights.file
    torch.save(state | {"classifier.0.weight": torch.zeros(2, 2), "classifier.0.bias": torch.zeros(2)}, path)
    return layers, path


def test_vgg16_loads_without_the_classifier(vgg16, draw):
    layers, path = vgg16
    pixels = draw(1, 96, 64)[None]
    coarse, fine = run(find_backbone("vgg16"), path, pixels)
    assert coarse.shape == (1, 512, 2, 3) and fine.shape == (1, 512, 4, 6)
    assert find_backbone("vgg16").channels == (512, 512)
    with torch.inference_mode():
        assert coarse == pytest.approx(layers(normalised(pixels)).numpy(), rel=1e-3, abs=1e-4)
    assert (coarse == fine.reshape(1, 512, 2, 2, 3, 2).max(axis=(3, 5))).all() and coarse.any()


def test_vgg16_without_a_convolution_is_refused(vgg16, tmp_path: Path):
    state = torch.load(vgg16[1], weights_only=True)
    del state["features.28.weight"]
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(RuntimeError, match="Missing key"):
        find_backbone("vgg16").make(tmp_path / "part.pth")


def test_efficientnet_lite0_has_the_declared_channels(draw):
    backbone = find_backbone(BUNDLED)
    layers = run(backbone, need_weights(backbone.weights), np.stack([draw(1, 128, 96), draw(2, 128, 96)]))
    assert [layer.shape for layer in layers] == [(2, 1280, 3, 4), (2, 112, 6, 8)] and backbone.channels == (1280, 112)
    assert min(layer.std(axis=(2, 3)).mean() for layer in layers) > 0.01  # values vary over positions
    assert layers[0].min() >= 0 > layers[1].min()  # the finer layer has signed values


def test_network_normalises_its_pixels(published):
    """The ImageNet mean colour reaches the network as zeros, and one standard deviation above it as ones."""
    backbone, _, path = published
    network = backbone.make(path)
    reached: list[torch.Tensor] = []
    network.network.body[0].register_forward_pre_hook(lambda _, inputs: reached.append(inputs[0]))
    mean, std = np.array(IMAGENET_MEAN) * 255, np.array(IMAGENET_STD) * 255
    for colour in (mean, mean + std):
        with torch.inference_mode():
            network(torch.tensor(np.broadcast_to(colour, (1, 64, 64, 3)).copy()))
    assert reached[0].shape == (1, 3, 64, 64)
    assert reached[0].numpy() == pytest.approx(0, abs=1e-5)
    assert reached[1].numpy() == pytest.approx(1, abs=1e-5)


def test_weights_file_cannot_execute_code(tmp_path: Path):
    path = tmp_path / "bad.pth"
    torch.save({"conv1.weight": re.compile("code")}, path)
    with pytest.raises(Exception, match=r"[Ww]eights.only|Unsupported"):
        find_backbone("resnet50").make(path)
