"""Checkpoints with random weights in the formats that timm and open_clip publish. For tests only."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from retrieval.networks.open_clip_networks import open_clip_library
from retrieval.networks.timm_networks import timm_library
from tests.hub import keep

PATCH14 = "boxfind_vit_patch14_reg2.random"
"""A small vision transformer with 14-pixel patches, a class token and two registers, as in DINOv2."""


def register_patch14() -> None:
    """Let timm know PATCH14."""
    timm = timm_library()
    if timm.is_model("boxfind_vit_patch14_reg2"):
        return
    from timm.models import generate_default_cfgs, register_model
    from timm.models.vision_transformer import _cfg, _create_vision_transformer

    def boxfind_vit_patch14_reg2(pretrained: bool = False, **options: Any) -> Any:
        size = {"patch_size": 14, "embed_dim": 48, "depth": 4, "num_heads": 3, "reg_tokens": 2, "no_embed_class": True}
        return _create_vision_transformer("boxfind_vit_patch14_reg2", pretrained=pretrained, **{**size, **options})

    config = _cfg(hf_hub_id="tests/patch14", num_classes=0, input_size=(3, 56, 56), mean=(0.4,) * 3, std=(0.3,) * 3)
    sys.modules[__name__].__dict__["default_cfgs"] = generate_default_cfgs({PATCH14: config})
    register_model(boxfind_vit_patch14_reg2)


def random_timm(name: str) -> Any:
    """The network with random weights of a useful size in every layer."""
    torch.manual_seed(0)
    network = timm_library().create_model(name).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1 and not parameter.any():
                parameter.normal_(std=0.02)  # zeros would hide a missing tensor
    return network


def keep_timm(cache: Path, name: str) -> Path:
    """Put random weights of a timm network into the hub's cache."""
    config = timm_library().get_pretrained_cfg(name)
    content = safetensors.torch.save(random_timm(name).state_dict())
    return keep(cache, config.hf_hub_id, "model.safetensors", content)


SMALL_TEXT = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
CLIPS: dict[str, dict[str, Any]] = {
    "small-vit": {"vision_cfg": {"image_size": 64, "layers": 3, "width": 64, "head_width": 32, "patch_size": 16}},
    "small-map": {
        "vision_cfg": {"image_size": 160, "timm_model_name": "test_vit3", "timm_pool": "map", "timm_proj": None},
        "custom_text": True,
    },
    "small-cnn": {
        "vision_cfg": {"image_size": 64, "timm_model_name": "test_convnext", "timm_pool": "avg", "timm_proj": None},
        "custom_text": True,
    },
}
"""Small models of open_clip, by name: its own vision transformer, one of timm with attention pooling, and a CNN."""
TAG = "random"


def keep_clip(cache: Path, configs: Path, name: str, patch: Any, change: Callable[[Any], None] | None = None) -> Any:
    """Let open_clip know a small model, and put random weights of it into the hub's cache. Returns the model.

    `change` changes the model first.
    """
    library = open_clip_library()
    configs.mkdir(exist_ok=True)
    (configs / f"{name}.json").write_text(json.dumps({"embed_dim": 24, "text_cfg": SMALL_TEXT, **CLIPS[name]}))
    library.add_model_config(configs)
    tag = {"hf_hub": f"tests/{name}/", "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    patch.setitem(library.pretrained._PRETRAINED, name, {TAG: tag})
    torch.manual_seed(0)
    model = library.create_model(name).eval()
    if change:
        change(model)
    content = safetensors.torch.save(model.state_dict())
    keep(cache, f"tests/{name}", "open_clip_model.safetensors", content)
    return model
