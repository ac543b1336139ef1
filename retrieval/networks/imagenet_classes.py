"""Classify regions into the 1000 ImageNet classes."""

import contextlib
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import RuntimeMissing
from retrieval.networks.architectures import load_state
from retrieval.networks.disk_cache import optional_cache
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.optional_packages import install
from retrieval.types import Vectors

ClassIds = NDArray[np.int16]
"""(R, T): ImageNet class numbers, 0 to 999, most likely first."""

Shares = NDArray[np.float16]
"""(R, T): the probabilities of these classes."""

TOP = 10
CLASSES = 1000
LAYERS = ("_fc", "fc", "classifier.1")
"""Name of the last layer in a checkpoint of EfficientNet-Lite, ResNet and torchvision's EfficientNet."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """The last layer of a network: weight (K, C) and bias (K,) for K classes and C channels."""

    weight: Vectors
    """In column-major order, which makes the product a third faster."""
    bias: Vectors

    def likely(self, features: Vectors, top: int = TOP) -> tuple[ClassIds, Shares]:
        """The most likely classes of regions and their probabilities. features (R, C) -> (R, T) and (R, T).

        `features` is the network's last layer averaged over each region, neither whitened nor normalised.
        """
        logits = features @ self.weight.T + self.bias  # (R, K)
        top = min(top, logits.shape[1])
        best = np.argpartition(logits, -top, axis=1)[:, -top:]
        best = np.sort(best, axis=1)  # so that ties go to the lower class number
        of_best = np.take_along_axis(logits, best, axis=1)
        order = np.argsort(-of_best, axis=1, kind="stable")
        highest = of_best.max(axis=1, keepdims=True)
        of_best = np.exp(of_best - highest) / np.exp(logits - highest).sum(axis=1, keepdims=True)
        return (
            np.take_along_axis(best, order, axis=1).astype(np.int16),
            np.take_along_axis(of_best, order, axis=1).astype(np.float16),
        )


def load_classifier(weights: Path, cached: Path | None = None) -> Classifier | None:
    """Load the classifier of a checkpoint; None when it is not a single layer on averaged features (VGG16).

    `cached` is a cache file: reading a checkpoint means importing torch, which takes seconds.
    """
    if cached is not None and os.path.exists(cached):
        with contextlib.suppress(ValueError, KeyError, BadZipFile), np.load(io.BytesIO(cached.read_bytes())) as file:
            return Classifier(np.asfortranarray(file["weight"]), file["bias"])
    state = load_state(weights)
    layer = next((layer for layer in LAYERS if f"{layer}.weight" in state), None)
    if layer is None or state[f"{layer}.weight"].ndim != 2:
        return None
    weight, bias = (state[f"{layer}.{part}"].float().numpy() for part in ("weight", "bias"))
    classifier = Classifier(np.asfortranarray(weight), bias)
    if cached is not None:
        with optional_cache(cached.parent):
            cached.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
                part = Path(scratch) / cached.name
                np.savez(part, weight=classifier.weight, bias=classifier.bias)
                part.replace(cached)
    return classifier


def class_names() -> tuple[str, ...]:
    """The names of the 1000 ImageNet classes, in order. Raises RuntimeMissing when torchvision is not installed."""
    try:
        import_torchvision()
        from torchvision.models import ResNet50_Weights
    except ImportError:
        raise RuntimeMissing(f"Text search needs torchvision for the ImageNet class names; {install('')}.") from None
    return tuple(ResNet50_Weights.IMAGENET1K_V2.meta["categories"])
