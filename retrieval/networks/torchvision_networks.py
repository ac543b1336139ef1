"""The networks of torchvision, with files, sizes and hashes of their published weights."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.networks.architectures import make_efficientnet, make_fasterrcnn_resnet50, make_resnet, make_vgg16
from retrieval.networks.backbone import Backbone
from retrieval.networks.weights import Weights
from retrieval.optional_packages import TORCHVISION

if TYPE_CHECKING:
    from torch import nn

RESNET50_SHA256 = "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca"


def _weights(file: str, megabytes: int, sha256: str = "") -> Weights:
    """The file name ends with the first 8 digits of the SHA-256; torchvision publishes no more."""
    beginning = file.removesuffix(".pth").rpartition("-")[2]
    return Weights(file, sha256 or beginning, megabytes, url=f"https://download.pytorch.org/models/{file}")


def _backbone(
    name: str, weights: Weights, channels: tuple[int, int], make: Callable[[Path], "nn.Module"] | None = None
) -> Backbone:
    make = make or partial(make_resnet if name.startswith("resnet") else make_efficientnet, name)
    return Backbone(
        f"torchvision:{name}", make, weights, channels, preprocessing=2, licence="BSD-3-Clause", needs=TORCHVISION
    )


FASTER_RCNN = _weights("fasterrcnn_resnet50_fpn_coco-258fb6c6.pth", 168)
TORCHVISION_BACKBONES = (
    _backbone("resnet50", _weights("resnet50-11ad3fa6.pth", 103, RESNET50_SHA256), (2048, 1024)),
    _backbone("resnet18", _weights("resnet18-f37072fd.pth", 47), (512, 256)),
    _backbone("vgg16", _weights("vgg16-397923af.pth", 553), (512, 512), make_vgg16),
    _backbone("efficientnet_b0", _weights("efficientnet_b0_rwightman-7f5810bc.pth", 21), (1280, 112)),
    # the first weights of B1, trained like those of B0 and B2
    _backbone("efficientnet_b1", _weights("efficientnet_b1_rwightman-bac287d4.pth", 32), (1280, 112)),
    _backbone("efficientnet_b2", _weights("efficientnet_b2_rwightman-c35c1473.pth", 37), (1408, 120)),
    _backbone("fasterrcnn_resnet50_fpn", FASTER_RCNN, (2048, 1024), make_fasterrcnn_resnet50),
)
