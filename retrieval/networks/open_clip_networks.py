"""The networks of open_clip: dense image features and text embeddings in one space."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import UnknownName, first_line
from retrieval.networks.architectures import with_normalisation
from retrieval.networks.backbone import Backbone
from retrieval.networks.dense_clip import dense_layers
from retrieval.networks.hub_weights import kept_file
from retrieval.networks.timm_networks import not_the_weights_of
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.networks.weights import Weights, download_folder, file_sha256, hub_weights, need_weights
from retrieval.optional_packages import OPEN_CLIP
from retrieval.types import Vectors, unit

if TYPE_CHECKING:
    from torch import nn

FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
OPENAI_SHA256 = "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"
MOST_STRIDE = 64
"""Pictures of this side, or a multiple of it, are tried to find the stride of a network."""


def find_open_clip(name: str) -> Backbone:
    """The backbone `open_clip:MODEL/PRETRAINED`; nothing is downloaded. Raises UnknownName, RuntimeMissing."""
    weights, *companions = open_clip_files(name)  # checks the name
    channels, stride = _describe(name)
    return Backbone(
        name=f"open_clip:{name}",
        make=partial(make_open_clip, name),
        weights=weights,
        channels=channels,
        preprocessing=1,
        licence="not stated",
        needs=OPEN_CLIP,
        text=partial(make_open_clip_text, name),
        stride=stride,
        signed=True,
        companions=tuple(companions),
    )


def open_clip_files(name: str) -> tuple[Weights, ...]:
    """The weights of `open_clip:MODEL/PRETRAINED`, then files of its tokenizer. Raises UnknownName, RuntimeMissing."""
    OPEN_CLIP.check(f"open_clip:{name}")
    config, tag = _configs(name)
    tokenizer = config["text_cfg"].get("hf_tokenizer_name")
    return (_weights(tag), *(hub_weights(tokenizer, file) for file in (TOKENIZER_FILES if tokenizer else ())))


def make_open_clip(name: str, weights: Path) -> "nn.Module":
    """The image encoder with dense features in the joint space, and its cells before. Raises WeightsMissing.

    The first layer, averaged over a box, compares by cosine with the vectors of `make_open_clip_text`.
    """
    _, tag = _configs(name)
    return with_normalisation(_dense(name, _load_model(name, weights)), tag["mean"], tag["std"])


def make_open_clip_text(name: str, weights: Path) -> Callable[[str], Vectors]:
    """The text encoder: a sentence -> a unit vector of the joint space. Raises WeightsMissing."""
    config, _ = _configs(name)
    model = _load_model(name, weights)
    del model.visual
    return _describer(model, _tokenizer(name, config["text_cfg"]))


@cache
def _describe(name: str) -> tuple[tuple[int, int], int]:
    """Channels of both layers, and the stride, from a run of the structure on the shape of a picture."""
    import torch

    try:
        with torch.device("meta"), torch.inference_mode(), _unwarned():  # tensors have shapes but no values
            model = open_clip_library().create_model(name.rpartition("/")[0], load_weights=False, device="meta")
            dense = _dense(name, model.eval())
            joint, cells = dense(torch.empty(1, 3, 7 * MOST_STRIDE, 14 * MOST_STRIDE))
            height, width = joint.shape[2:]
            if width != 2 * height or 7 * MOST_STRIDE % height:
                raise ValueError(f"a picture of 448 x 896 pixels gives {height} x {width} cells")
    except Exception as error:  # each network has its own way to refuse a size
        raise UnknownName(
            f"open_clip:{name} gives no feature map for pictures of any size ({first_line(error)}); choose another "
            "network."
        ) from None
    return (joint.shape[1], cells.shape[1]), 7 * MOST_STRIDE // height


def _dense(name: str, model: Any) -> "nn.Module":
    vision = _configs(name)[0]["vision_cfg"]
    dense = dense_layers(model.visual, vision.get("timm_pool", "avg"), vision.get("timm_model_name", ""))
    return dense.eval()


def _configs(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configurations of the model and of its weights. Raises UnknownName."""
    model, _, pretrained = name.rpartition("/")
    library = open_clip_library()
    tags = library.list_pretrained_tags_by_model(model)
    if not library.is_pretrained_cfg(model, pretrained):
        hint = f"choose from: {', '.join(tags)}" if tags else "`open_clip.list_pretrained()` lists all"
        raise UnknownName(f"open_clip has no network called {name!r} (MODEL/PRETRAINED); {hint}.")
    config, tag = deepcopy(library.get_model_config(model)), dict(library.get_pretrained_cfg(model, pretrained))
    if config["text_cfg"].get("hf_model_name"):
        raise UnknownName(
            f"open_clip:{name} has the text encoder {config['text_cfg']['hf_model_name']}, which Boxfind cannot use; "
            "choose another network."
        )
    tag["mean"], tag["std"] = (
        tag.get("mean") or library.OPENAI_DATASET_MEAN,
        tag.get("std") or library.OPENAI_DATASET_STD,
    )
    return config, tag


def _weights(tag: dict[str, Any]) -> Weights:
    """The weights of a configuration, from the hub if it names a repository there."""
    repository, _, file = str(tag.get("hf_hub") or "").rpartition("/")
    if repository:
        return hub_weights(repository, *((str(Path(file).with_suffix(".safetensors")), file) if file else FILES))
    *_, folder, file = tag["url"].split("/")
    digits = file.rpartition(".")[0].rpartition("-")[2] if "mlfoundations" in tag["url"] else ""
    path = download_folder() / file
    checksum = folder if len(folder) == 64 else digits or (file_sha256(path) if path.is_file() else "")
    return Weights(file, checksum, 0, url=tag["url"])


def _load_model(name: str, weights: Path) -> Any:
    _, tag = _configs(name)
    try:
        return (
            open_clip_library()
            .create_model(
                name.rpartition("/")[0],
                pretrained=str(weights),
                require_pretrained=True,
                force_quick_gelu=bool(tag.get("quick_gelu")),
            )
            .eval()
        )
    except Exception as error:  # of torch, pickle, zipfile or safetensors, each with its own classes
        raise not_the_weights_of(f"open_clip:{name}", weights, error) from None


def _tokenizer(name: str, text: dict[str, Any]) -> Any:
    from open_clip.tokenizer import HFTokenizer

    if not text.get("hf_tokenizer_name"):
        return open_clip_library().get_tokenizer(name.rpartition("/")[0])
    for file in TOKENIZER_FILES:
        need_weights(hub_weights(text["hf_tokenizer_name"], file))
    kept = kept_file(text["hf_tokenizer_name"], TOKENIZER_FILES)
    assert kept is not None and kept.path is not None
    mode, options = text.get("tokenizer_mode"), text.get("tokenizer_kwargs", {})
    return HFTokenizer(str(kept.path.parent), text["context_length"], tokenizer_mode=mode, **options)


def _describer(model: Any, tokens: Any) -> Callable[[str], Vectors]:
    import torch

    def describe(sentence: str) -> Vectors:
        with torch.inference_mode():
            return unit(np.asarray(model.encode_text(tokens(sentence))[0]))

    return describe


@contextmanager
def _unwarned() -> Iterator[None]:
    """Keep open_clip's warning that a structure has no weights from the user, who gets none of that kind."""
    root, warned = logging.getLogger(), "No pretrained weights loaded"

    def is_other(record: logging.LogRecord) -> bool:
        return warned not in record.getMessage()

    root.addFilter(is_other)
    try:
        yield
    finally:
        root.removeFilter(is_other)


def open_clip_library() -> Any:
    """The module, imported with a torchvision that works."""
    import_torchvision()  # open_clip imports it
    import open_clip

    return open_clip


def make_clip(weights: Path) -> "nn.Module":
    """The image encoder of a CLIP ResNet: dense features in the joint space, and the layer at stride 16.

    Both have 1024 channels for RN50. The first layer, averaged over a box, compares by cosine with the vectors of
    `make_text`. Raises RuntimeMissing.
    """
    visual = _load(weights).visual
    return with_normalisation(dense_layers(visual).eval(), visual.image_mean, visual.image_std)


def make_text(weights: Path) -> Callable[[str], Vectors]:
    """The text encoder: a sentence -> a unit vector, (1024,) for RN50. Raises RuntimeMissing.

    CLIP was trained on English captions. Text beyond 77 tokens is truncated.
    """
    model = _load(weights)
    del model.visual
    # the vocabulary is in the package; no download
    return _describer(model, open_clip_library().SimpleTokenizer(context_length=model.context_length))


def _load(weights: Path) -> Any:
    """Load a full OpenAI checkpoint, a float16 TorchScript archive, as float32."""
    OPEN_CLIP.check("CLIP")
    with warnings.catch_warnings():
        # OpenAI chose the TorchScript format; the user cannot act on torch's deprecation warning
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", DeprecationWarning)
        return open_clip_library().load_openai_model(str(weights), precision="fp32", device="cpu").eval()


CLIP_RN50 = Backbone(
    name="open_clip:RN50/openai",
    make=make_clip,
    weights=Weights(
        file="RN50.pt",
        sha256=OPENAI_SHA256,
        megabytes=256,
        url=f"https://openaipublic.azureedge.net/clip/models/{OPENAI_SHA256}/RN50.pt",
    ),
    channels=(1024, 1024),
    preprocessing=2,
    licence="MIT",
    needs=OPEN_CLIP,
    text=make_text,
)
