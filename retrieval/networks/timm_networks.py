"""The networks of timm: CNNs by two stages, vision transformers by the patch tokens of two blocks."""

import difflib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import UnknownName, WeightsMissing, first_line
from retrieval.networks.architectures import with_normalisation
from retrieval.networks.backbone import Backbone
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.networks.weights import Weights, download_folder, file_sha256, hub_weights
from retrieval.optional_packages import TIMM

if TYPE_CHECKING:
    from torch import Tensor, nn

FILES = ("model.safetensors", "pytorch_model.bin")
RECTIFIED = ("ResNet", "RegNet", "VGG")
"""Classes of networks that end with a ReLU, so that their features suit generalised-mean pooling."""
UNUSED = ("head", "fc", "classifier", "last_linear")
"""How names of tensors after the last feature map start."""
FINER = 3 / 4
"""How deep in a vision transformer the block of the finer layer is."""


def find_timm(model: str) -> Backbone:
    """The backbone `timm:MODEL`; nothing is downloaded. Raises UnknownName, RuntimeMissing.

    UnknownName also for a model without pretrained weights, or that gives no feature map.
    """
    TIMM.check(f"timm:{model}")
    layers = _describe(model)
    config = timm_library().get_pretrained_cfg(model)
    model = f"{config.architecture}.{config.tag}" if config.tag else model  # the default weights may change
    return Backbone(
        name=f"timm:{model}",
        make=partial(make_timm, model),
        weights=_weights(config),
        channels=layers.channels,
        preprocessing=1,
        licence=config.license or "not stated",
        needs=TIMM,
        stride=layers.stride,
        signed=layers.signed,
    )


def timm_files(model: str) -> tuple[Weights, ...]:
    """The files of `timm:MODEL`, without its structure. Raises UnknownName, RuntimeMissing."""
    TIMM.check(f"timm:{model}")
    _check_name(model)
    return (_weights(timm_library().get_pretrained_cfg(model)),)


def make_timm(model: str, weights: Path) -> "nn.Module":
    """The network with the weights of a file, which must hold each of its tensors. Raises WeightsMissing."""
    from torch import nn

    layers, config = _describe(model), timm_library().get_pretrained_cfg(model)
    network = load_timm(model, weights, **layers.options)
    norm = {"norm": True} if layers.is_transformer else {}  # of the last block, as at the end of the network

    class TwoLayers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: "Tensor") -> "tuple[Tensor, Tensor]":
            fine, coarse = self.network.forward_intermediates(
                images, indices=layers.indices, intermediates_only=True, **norm
            )
            return coarse, fine

    return with_normalisation(TwoLayers(), config.mean, config.std)


def load_timm(model: str, weights: Path, **options: Any) -> Any:
    """The whole model with the weights of a file. Raises WeightsMissing if the file is not that of the model."""
    library, source = timm_library(), {"file": str(weights), "url": "", "hf_hub_id": None, "source": "file"}
    try:
        with _missing_tensors() as missing:
            network = library.create_model(model, pretrained=True, pretrained_cfg_overlay=source, **options).eval()
        if missing:
            raise ValueError(f"it lacks {missing[0]}")
        return network
    except Exception as error:  # of torch, pickle, zipfile or safetensors, each with its own classes
        raise not_the_weights_of(f"timm:{model}", weights, error) from None


@contextmanager
def _missing_tensors() -> Iterator[list[str]]:
    """The tensors that timm could not load while the body ran, except those of classifiers.

    timm leaves them random for some networks (ConvNeXt, DLA, …) and only logs their names.
    """
    logger, missing = logging.getLogger("timm.models._builder"), list[str]()
    before = logger.level

    def collect(record: logging.LogRecord) -> bool:
        found = re.match(r"Missing keys \((.*?)\)", record.getMessage())
        names = found[1].split(", ") if found else []
        missing.extend(name for name in names if not name.startswith(UNUSED))
        return record.levelno >= logging.WARNING

    logger.addFilter(collect)
    logger.setLevel(logging.INFO)
    try:
        yield missing
    finally:
        logger.setLevel(before)
        logger.removeFilter(collect)


def not_the_weights_of(name: str, weights: Path, error: Exception) -> WeightsMissing:
    """The error for a file that is complete, but does not fit the network."""
    return WeightsMissing(
        f"The file {weights} does not hold the weights of {name} ({first_line(error)})", "choose another network"
    )


@dataclass(frozen=True, slots=True)
class _Layers:
    """The two layers of a network that are used, known from its structure alone."""

    options: dict[str, bool]
    """With which the model takes pictures of any size."""
    indices: list[int]
    """Numbers of the finer layer and of the last one."""
    channels: tuple[int, int]
    """Of the last layer and of the finer one."""
    stride: int
    is_transformer: bool
    signed: bool


@cache
def _describe(model: str) -> _Layers:
    """Run the structure of a model on the shape of a picture, which needs no weights. Raises UnknownName."""
    import torch

    _check_name(model)
    structure, options = _structure(model)
    strides = [int(layer["reduction"]) for layer in structure.feature_info]
    indices, stride = _two_layers(model, strides), strides[-1]
    try:
        with torch.inference_mode():
            shape = torch.empty(1, 3, 3 * stride, 5 * stride, device="meta")
            fine, coarse = structure.forward_intermediates(shape, indices=indices, intermediates_only=True)
        if coarse.shape[2:] != (3, 5) or fine.shape[2] * 5 != fine.shape[3] * 3:
            raise ValueError(f"its last layer has {coarse.shape[2]} x {coarse.shape[3]} cells instead of 3 x 5")
    except Exception as error:  # each network has its own way to refuse a size
        raise UnknownName(
            f"timm:{model} gives no feature map for pictures of any size ({first_line(error)}); choose another network."
        ) from None
    return _Layers(
        options=options,
        indices=indices,
        channels=(coarse.shape[1], fine.shape[1]),
        stride=stride,
        is_transformer=hasattr(structure, "blocks") and hasattr(structure, "norm"),
        signed=type(structure).__name__ not in RECTIFIED,
    )


def _two_layers(model: str, strides: list[int]) -> list[int]:
    """Numbers of the finer layer and of the last one, from the strides of all."""
    last = len(strides) - 1
    if len(set(strides)) == 1:
        return [max(round(FINER * len(strides)) - 1, 0), last]
    finer = [number for number, stride in enumerate(strides) if stride * 2 == strides[last]]
    if not finer:
        raise UnknownName(f"timm:{model} has no layer at half the stride of its last one; choose another network.")
    return [finer[-1], last]


def _structure(model: str) -> tuple[Any, dict[str, bool]]:
    """The modules of a model, and its options. Its tensors have shapes but no values: it computes nothing."""
    import torch

    options = {"dynamic_img_size": True}
    with torch.device("meta"):
        try:
            return timm_library().create_model(model, **options).eval(), options
        except TypeError:  # a CNN has no such option
            return timm_library().create_model(model).eval(), {}


def _check_name(model: str) -> None:
    """Raises UnknownName, with names that are alike, unless the model has pretrained weights."""
    known = timm_library().list_models(pretrained=True)
    if model in known or (timm_library().is_model(model) and model in {name.partition(".")[0] for name in known}):
        return
    family = [name for name in known if name.partition(".")[0] == model.partition(".")[0]]
    near = family or difflib.get_close_matches(model, known, n=5, cutoff=0.5)
    hint = f"; did you mean {', '.join(near[:5])}?" if near else "."
    raise UnknownName(f"timm has no pretrained network called {model!r}{hint}")


def _weights(config: Any) -> Weights:
    if config.hf_hub_id:
        file = (config.hf_hub_filename,) if config.hf_hub_filename else FILES
        return hub_weights(config.hf_hub_id, *file)
    file = config.url.rpartition("/")[2]
    digits = re.search(r"-([a-f0-9]{8,64})\.", file)
    path = download_folder() / file
    checksum = digits[1] if digits else file_sha256(path) if path.is_file() else ""
    return Weights(file, checksum, 0, url=config.url)


def timm_library() -> Any:
    """The module, imported with a torchvision that works."""
    import_torchvision()  # timm imports it
    import timm

    return timm
