"""CLIP: pictures and sentences in one space, so that the cells of a picture can be compared with a sentence."""

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
    """The picture half of a CLIP with a ResNet: cells in the space of its sentences, and the layer at stride 16.

    For RN50 both have 1024 channels. The first layer, averaged over a box, compares by cosine with what `make_text`
    gives. Raises RuntimeMissing.
    """
    from torch import nn

    visual = _load(weights).visual
    stem = (visual.conv1, visual.bn1, visual.act1, visual.conv2, visual.bn2, visual.act2, visual.conv3, visual.bn3)
    body = nn.Sequential(*stem, visual.act3, visual.avgpool, visual.layer1, visual.layer2, visual.layer3)
    head = nn.Sequential(visual.layer4, _every_cell(visual.attnpool))
    return from_pixels(body, head, visual.image_mean, visual.image_std)


def make_text(weights: Path) -> Callable[[str], Vectors]:
    """The sentence half: a sentence -> a unit vector, (1024,) for RN50. Raises RuntimeMissing.

    CLIP knows captions in English; what comes after 77 tokens of a sentence is left out.
    """
    import torch

    model = _load(weights)
    del model.visual
    from open_clip import SimpleTokenizer

    tokens = SimpleTokenizer(context_length=model.context_length)  # its vocabulary lies in the package: no network

    def describe(sentence: str) -> Vectors:
        with torch.inference_mode():
            return unit(np.asarray(model.encode_text(tokens(sentence))[0]))

    return describe


def _every_cell(pool: Any) -> "nn.Module":
    """CLIP's attention pool with no attention: its value and output projections for each cell, as one convolution.

    This is how MaskCLIP (Zhou et al., ECCV 2022) makes CLIP dense. The pool ends in a weighted mean of projected
    cells, with no residual path and no MLP after it, so that nothing else is left out. It adds to each cell an
    embedding of its place on a 7 x 7 grid, which a picture of another size does not have; as the projections are
    linear, all that these do to a mean is to move it, and their own mean does so for every cell alike. Thus a thing
    has one look wherever it lies, and the mean over a whole square picture is exactly what CLIP itself gives for even
    attention.
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
    """The whole model of a checkpoint of OpenAI's, a TorchScript archive in half precision, in float32."""
    OPEN_CLIP.check("CLIP")
    import_torchvision()
    import open_clip

    with warnings.catch_warnings():
        # the format is OpenAI's; that torch would rather have another is no concern of the user's
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", DeprecationWarning)
        return open_clip.load_openai_model(str(weights), precision="fp32", device="cpu").eval()
