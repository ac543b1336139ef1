"""Build each backbone from its weights file, with two output layers and built-in normalisation."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.networks.torchvision_compat import import_torchvision

if TYPE_CHECKING:
    from torch import Tensor, nn

State = dict[str, "Tensor"]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def make_efficientnet_lite0(weights: Path) -> "nn.Module":
    """EfficientNet-Lite0: the last convolution (1280 channels) and the last block at stride 16 (112 channels)."""
    from efficientnet_lite_pytorch import EfficientNet
    from torch import nn

    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(load_state(weights))
    blocks = list(network._blocks)
    halving = max(i for i, block in enumerate(blocks) if block._depthwise_conv.stride[0] == 2)
    body = nn.Sequential(network._conv_stem, network._bn0, network._swish, *blocks[:halving])
    head = nn.Sequential(*blocks[halving:], network._conv_head, network._bn1, network._swish)
    return from_pixels(body, head, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def make_efficientnet(name: str, weights: Path) -> "nn.Module":
    """A torchvision EfficientNet: the last convolution and the last block at stride 16."""
    network = _torchvision_network(name, weights)
    return from_pixels(network.features[:6], network.features[6:])


def make_resnet(name: str, weights: Path) -> "nn.Module":
    """A torchvision ResNet: the last block and the last block at stride 16."""
    return _split_at_stride_16(_torchvision_network(name, weights))


def make_fasterrcnn_resnet50(weights: Path) -> "nn.Module":
    """The ResNet50 of a Faster R-CNN, fine-tuned for object detection: 2048 channels, and 1024 at stride 16."""
    import_torchvision()
    from torch import nn
    from torchvision.models import resnet50

    network = resnet50(weights=None, norm_layer=frozen_batch_norm())
    network.fc = nn.Identity()
    network.load_state_dict(_with_prefix(load_state(weights), "backbone.body."))
    return _split_at_stride_16(network)


def make_vgg16(weights: Path) -> "nn.Module":
    """VGG16: the last pooling (512 channels) and the last convolution before it (512 channels, stride 16).

    Only the convolutions are loaded. The classifier is nine tenths of the file and is not used.
    """
    import_torchvision()
    from torchvision.models.vgg import cfgs, make_layers

    layers = make_layers(cfgs["D"])  # the 16 layers of VGG16 are configuration D of Simonyan & Zisserman (2015)
    layers.load_state_dict(_with_prefix(load_state(weights), "features."))
    return from_pixels(layers[:30], layers[30:])


def frozen_batch_norm() -> Any:
    """Batch normalisation as in torchvision's COCO detectors: frozen, with eps 0."""
    from torchvision.ops import FrozenBatchNorm2d

    return partial(FrozenBatchNorm2d, eps=0.0)


def load_state(weights: Path) -> State:
    """Load the tensors of a weights file. Never executes code from the file."""
    import torch

    if weights.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(weights)

    state: State = torch.load(weights, map_location="cpu", weights_only=True)
    return state


def from_pixels(
    body: "nn.Module",
    head: "nn.Module",
    mean: tuple[float, ...] = IMAGENET_MEAN,
    std: tuple[float, ...] = IMAGENET_STD,
) -> "nn.Module":
    """Join body and head, with normalisation as the first layer, so that no caller can get it wrong."""
    return with_normalisation(two_layers(body, head), mean, std)


def two_layers(body: "nn.Module", head: "nn.Module") -> "nn.Module":
    """A network of normalised images (N, 3, H, W) that returns the output of its head, and that of its body."""
    from torch import nn

    class TwoLayers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = body
            self.head = head

        def forward(self, images: "Tensor") -> "tuple[Tensor, Tensor]":
            fine = self.body(images)
            return self.head(fine), fine

    return TwoLayers()


def with_normalisation(network: "nn.Module", mean: tuple[float, ...], std: tuple[float, ...]) -> "nn.Module":
    """Let a network of normalised images (N, 3, H, W) take pixels (N, H, W, 3). It returns its two layers."""
    import torch
    from torch import nn

    class WithNormalisation(nn.Module):
        mean: "Tensor"
        std: "Tensor"

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255)
            self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255)

        def forward(self, pixels: "Tensor") -> "tuple[Tensor, Tensor]":
            layers: tuple[Tensor, Tensor] = self.network((pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std)
            return layers

    return WithNormalisation().eval()


def _torchvision_network(name: str, weights: Path) -> Any:
    import_torchvision()
    from torchvision.models import get_model

    network = get_model(name, weights=None)
    network.load_state_dict(load_state(weights))
    return network


def _split_at_stride_16(resnet: Any) -> "nn.Module":
    from torch import nn

    return from_pixels(nn.Sequential(*list(resnet.children())[:-3]), resnet.layer4)


def _with_prefix(state: State, prefix: str) -> State:
    """The tensors whose names start with the prefix, with the prefix removed."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
