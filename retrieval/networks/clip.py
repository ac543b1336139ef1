"""CLIP: dense image features and text embeddings in one space."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.networks.architectures import from_pixels
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.optional_packages import OPEN_CLIP
from retrieval.types import Vectors, unit

if TYPE_CHECKING:
    from torch import nn


def make_clip(weights: Path) -> "nn.Module":
    """The image encoder of a CLIP ResNet: dense features in the joint space, and the layer at stride 16.

    Both have 1024 channels for RN50. The first layer, averaged over a box, compares by cosine with the vectors of
    `make_text`. Raises RuntimeMissing.
    """
    from torch import nn

    visual = _load(weights).visual
    stem = (visual.conv1, visual.bn1, visual.act1, visual.conv2, visual.bn2, visual.act2, visual.conv3, visual.bn3)
    body = nn.Sequential(*stem, visual.act3, visual.avgpool, visual.layer1, visual.layer2, visual.layer3)
    head = nn.Sequential(visual.layer4, _dense_attention_pool(visual.attnpool))
    return from_pixels(body, head, visual.image_mean, visual.image_std)


def make_text(weights: Path) -> Callable[[str], Vectors]:
    """The text encoder: a sentence -> a unit vector, (1024,) for RN50. Raises RuntimeMissing.

    CLIP was trained on English captions. Text beyond 77 tokens is truncated.
    """
    import torch

    model = _load(weights)
    del model.visual
    from open_clip import SimpleTokenizer

    tokens = SimpleTokenizer(context_length=model.context_length)  # the vocabulary is in the package; no download

    def describe(sentence: str) -> Vectors:
        with torch.inference_mode():
            return unit(np.asarray(model.encode_text(tokens(sentence))[0]))

    return describe


def _dense_attention_pool(pool: Any) -> "nn.Module":
    """CLIP's attention pool without attention: the value and output projections of each cell, as a 1 x 1 convolution.

    This is how MaskCLIP (Zhou et al., ECCV 2022) makes CLIP dense. CLIP's position embeddings belong to a 7 x 7 grid,
    which other image sizes do not have. The projections are linear, so the mean position embedding is added to every
    cell instead. The mean over a square image then equals CLIP's own output for uniform attention.
    """
    import torch
    from torch import nn

    value, out = pool.v_proj, pool.c_proj
    cell = nn.Conv2d(value.in_features, out.out_features, 1)
    with torch.no_grad():
        moved = value.weight @ pool.positional_embedding.mean(dim=0) + value.bias
        cell.weight.copy_((out.weight @ value.weight)[:, :, None, None])
        cell.bias.copy_(out.weight @ moved + out.bias)  # type: ignore[union-attr]  # a Conv2d has one by default
    return cell


def _load(weights: Path) -> Any:
    """Load a full OpenAI checkpoint, a float16 TorchScript archive, as float32."""
    OPEN_CLIP.check("CLIP")
    import_torchvision()
    import open_clip

    with warnings.catch_warnings():
        # OpenAI chose the TorchScript format; the user cannot act on torch's deprecation warning
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", DeprecationWarning)
        return open_clip.load_openai_model(str(weights), precision="fp32", device="cpu").eval()
