"""Reads a checkpoint of Segment Anything as Meta published it, for the same network as transformers has it."""

import re
from typing import Any

from retrieval.networks.architectures import State

_NAMES = (
    (r"^image_encoder\.", "vision_encoder."),
    (r"^(vision_encoder)\.blocks\.", r"\1.layers."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"\.neck\.0\.", ".neck.conv1."),
    (r"\.neck\.1\.", ".neck.layer_norm1."),
    (r"\.neck\.2\.", ".neck.conv2."),
    (r"\.neck\.3\.", ".neck.layer_norm2."),
    (r"\.norm(\d)\.", r".layer_norm\1."),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
    (r"\.point_embeddings\.", ".point_embed."),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    (r"(_mlps\.\d|_head)\.layers\.0\.", r"\1.proj_in."),
    (r"(_mlps\.\d|_head)\.layers\.1\.", r"\1.layers.0."),
    (r"(_mlps\.\d|_head)\.layers\.2\.", r"\1.proj_out."),
)
"""What a part is called by Meta, and by transformers; one after the other."""
_PLACES = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"


def renamed(state: State) -> State:
    """The same tensors under the names that transformers gives them."""
    found: State = {}
    for name, tensor in state.items():
        if name == _PLACES:  # one tensor, which transformers keeps in two places
            found["shared_image_embedding.positional_embedding"] = tensor
            found["prompt_encoder.shared_embedding.positional_embedding"] = tensor
            continue
        for theirs, ours in _NAMES:
            name = re.sub(theirs, ours, name)
        found[name] = tensor
    return found


def read_config(state: State) -> Any:
    """The size of the network, read off its tensors: ViT-B, and whatever else has the same parts."""
    from transformers import SamConfig

    blocks = {int(name.split(".")[2]) for name in state if name.startswith("image_encoder.blocks.")}
    reach = {n: (len(state[f"image_encoder.blocks.{n}.attn.rel_pos_h"]) + 1) // 2 for n in blocks}
    embedding, patch = state["image_encoder.pos_embed"], state["image_encoder.patch_embed.proj.weight"].shape[-1]
    channels = len(state["image_encoder.neck.0.weight"])
    side = embedding.shape[1] * patch
    vision = {
        "hidden_size": embedding.shape[3],
        "num_hidden_layers": len(blocks),
        "num_attention_heads": embedding.shape[3] // state["image_encoder.blocks.0.attn.rel_pos_h"].shape[1],
        "mlp_dim": len(state["image_encoder.blocks.0.mlp.lin1.weight"]),
        "image_size": side,
        "patch_size": patch,
        "window_size": min(reach.values()),
        "global_attn_indexes": [n for n in sorted(blocks) if reach[n] == embedding.shape[1]],
        "output_channels": channels,
        "num_pos_feats": state[_PLACES].shape[1],
    }
    decoder = {
        "hidden_size": channels,
        "mlp_dim": len(state["mask_decoder.transformer.layers.0.mlp.lin1.weight"]),
        "iou_head_hidden_dim": len(state["mask_decoder.iou_prediction_head.layers.0.weight"]),
    }
    prompts = {"hidden_size": channels, "image_size": side, "patch_size": patch}
    make: Any = SamConfig  # which has no types
    return make(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)
