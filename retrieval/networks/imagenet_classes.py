"""Which of the thousand kinds of things of ImageNet a part of a picture looks like."""

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import RuntimeMissing
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.optional_packages import install
from retrieval.types import Vectors

if TYPE_CHECKING:
    from torch import Tensor

ClassIds = NDArray[np.int16]
"""(R, T): numbers of ImageNet classes, 0 to 999, the most likely first."""

Shares = NDArray[np.float16]
"""(R, T): the probability of each of those classes."""

TOP = 10
LAYERS = ("_fc", "fc", "classifier.1")
"""What the last layer is called in a checkpoint: EfficientNet-Lite, ResNet, torchvision's EfficientNet."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """The last layer of a network: weight (K, C) and bias (K,) for K classes and C channels."""

    weight: Vectors
    """Column after column: multiplying by it takes two thirds of the time then."""
    bias: Vectors

    def likely(self, features: Vectors, top: int = TOP) -> tuple[ClassIds, Shares]:
        """The most likely classes of regions and how likely each is. features (R, C) -> (R, T) and (R, T).

        `features` is the network's last layer averaged over a region, as it is: neither whitened nor of unit length.
        """
        logits = features @ self.weight.T + self.bias  # (R, K)
        top = min(top, logits.shape[1])
        best = np.argpartition(logits, -top, axis=1)[:, -top:]
        best = np.sort(best, axis=1)  # in the order of their numbers
        of_best = np.take_along_axis(logits, best, axis=1)
        order = np.argsort(-of_best, axis=1, kind="stable")
        highest = of_best.max(axis=1, keepdims=True)
        of_best = np.exp(of_best - highest) / np.exp(logits - highest).sum(axis=1, keepdims=True)
        return (
            np.take_along_axis(best, order, axis=1).astype(np.int16),
            np.take_along_axis(of_best, order, axis=1).astype(np.float16),
        )


def load_classifier(weights: Path, kept: Path | None = None) -> Classifier | None:
    """The classifier in a checkpoint; None where no single layer leads from averaged features to classes (VGG16).

    `kept`: where it is kept between builds, for reading a checkpoint takes torch, which takes seconds.
    """
    if kept is not None and kept.exists():
        with contextlib.suppress(ValueError, KeyError, BadZipFile), np.load(io.BytesIO(kept.read_bytes())) as file:
            return Classifier(np.asfortranarray(file["weight"]), file["bias"])
    import torch

    state: dict[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
    for layer in LAYERS:
        if f"{layer}.weight" in state:
            weight, bias = (state[f"{layer}.{part}"].float().numpy() for part in ("weight", "bias"))
            found = Classifier(np.asfortranarray(weight), bias)
            if kept is not None:
                _keep(found, kept)
            return found
    return None


def _keep(classifier: Classifier, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}-{os.getpid()}.npz")
    np.savez(part, weight=classifier.weight, bias=classifier.bias)
    os.replace(part, path)


def class_names() -> tuple[str, ...]:
    """What the 1000 classes of ImageNet are called, in order. Raises RuntimeMissing where torchvision is missing."""
    try:
        import_torchvision()
        from torchvision.models import ResNet50_Weights
    except ImportError:
        raise RuntimeMissing(
            f"Searching by text needs torchvision, which has the names of the classes; {install('')}."
        ) from None
    return tuple(ResNet50_Weights.IMAGENET1K_V2.meta["categories"])
