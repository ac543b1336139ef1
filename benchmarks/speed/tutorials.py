"""Baselines from tutorials: one picture at a time, float32, through torch."""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image as Pillow

from retrieval.descriptors.embedder import network_size
from retrieval.types import Vectors

Way = Callable[[Sequence[Path]], Vectors]
"""N picture files -> vectors (N, C)."""


def tutorial_loop(network: Any, side: int, device: str, square: bool = False) -> Way:
    """OpenCV reads and resizes, torch runs the network, the last layer is averaged. `network`: built by a backbone.

    Pictures get the size that an index with that side uses, or become squares, as in tutorials. Layers and weights are
    those of the backbone. The loop normalises the pixels itself, and uses torch's default memory layout.
    """
    body, head = network.body.to(device), network.head.to(device)
    mean, std = network.mean.to(device), network.std.to(device)

    def describe(paths: Sequence[Path]) -> Vectors:
        vectors = []
        for path in paths:
            read: Any = cv2.imread(str(path))  # None if OpenCV cannot read it
            image = cv2.cvtColor(read, cv2.COLOR_BGR2RGB)
            size = (side, side) if square else network_size(image.shape[1], image.shape[0], side)
            pixels = cv2.resize(image, size)
            batch = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].to(device)
            with torch.inference_mode():
                layer = head(body((batch.float() - mean) / std))
            vectors.append(layer.mean(dim=(2, 3))[0].cpu().numpy())
        return np.stack(vectors)

    return describe


def img2vec(device: str) -> Way | None:
    """img2vec_pytorch with ResNet50, which resizes every picture to 224 x 224; None if it is not installed.

    It loads its weights from torch's folder, and would download missing ones.
    """
    if importlib.util.find_spec("img2vec_pytorch") is None:
        return None
    library = importlib.import_module("img2vec_pytorch")
    model = library.Img2Vec(cuda=device == "cuda", model="resnet50", layer_output_size=2048)

    def describe(paths: Sequence[Path]) -> Vectors:
        return np.stack([model.get_vec(Pillow.open(path).convert("RGB")) for path in paths])

    return describe
