"""ResNet50 with random weights, for speed measurements, which do not depend on them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch

from retrieval.networks.backbones import BACKBONES
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.networks.weights import file_sha256

NAME = "resnet50"


@contextmanager
def random_resnet50(folder: Path) -> Iterator[None]:
    """Write random ResNet50 weights to a folder and use that folder for all weights while the context is active."""
    import_torchvision()
    from torchvision.models import resnet50

    backbone = BACKBONES[NAME]
    file = folder / "hub" / "checkpoints" / backbone.weights.file
    file.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(resnet50(weights=None).state_dict(), file)
    made = replace(backbone, weights=replace(backbone.weights, sha256=file_sha256(file)))
    with mock.patch.dict(BACKBONES, {NAME: made}), mock.patch.dict(os.environ, {"TORCH_HOME": str(folder)}):
        yield
