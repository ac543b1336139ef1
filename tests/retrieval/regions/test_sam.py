"""Segment Anything loads Meta's checkpoint, and its masks become boxes in image pixels."""

from pathlib import Path

import pytest
import torch

from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.optional_packages import TRANSFORMERS
from retrieval.regions import sam
from retrieval.regions.sam import SegmentAnything, as_regions
from retrieval.regions.sam_checkpoint import renamed
from retrieval.types import Box

needs_transformers = pytest.mark.skipif(not TRANSFORMERS.installed, reason='pip install -e ".[sam]"')
WIDTH, CHANNELS, DEPTH, PLACES = 32, 16, 2, 8


def shapes() -> dict[str, tuple[int, ...]]:
    """All tensors of a Meta checkpoint by name, for a network with two blocks and 64 x 64 input pixels."""
    found: dict[str, tuple[int, ...]] = {
        "image_encoder.pos_embed": (1, 4, 4, WIDTH),
        "image_encoder.patch_embed.proj.weight": (WIDTH, 3, 16, 16),
        "image_encoder.patch_embed.proj.bias": (WIDTH,),
        "image_encoder.neck.0.weight": (CHANNELS, WIDTH, 1, 1),
        "image_encoder.neck.2.weight": (CHANNELS, CHANNELS, 3, 3),
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix": (2, PLACES),
        "prompt_encoder.not_a_point_embed.weight": (1, CHANNELS),
        "prompt_encoder.no_mask_embed.weight": (1, CHANNELS),
        "mask_decoder.iou_token.weight": (1, CHANNELS),
        "mask_decoder.mask_tokens.weight": (4, CHANNELS),
    }

    def add(name: str, *shape: int, bias: int = 0) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = shape, (bias or shape[0],)

    for block in range(DEPTH):
        name, reach = f"image_encoder.blocks.{block}", (2, 4)[block]  # a window of 2 x 2 cells, then all 4 x 4
        found[f"{name}.attn.rel_pos_h"] = found[f"{name}.attn.rel_pos_w"] = (2 * reach - 1, WIDTH // 2)
        for part, out, into in (("attn.qkv", 3, 1), ("attn.proj", 1, 1), ("mlp.lin1", 2, 1), ("mlp.lin2", 1, 2)):
            add(f"{name}.{part}", out * WIDTH, into * WIDTH)
        for norm in ("norm1", "norm2"):
            add(f"{name}.{norm}", WIDTH)
    for norm in (1, 3):
        add(f"image_encoder.neck.{norm}", CHANNELS)
    for point in range(4):
        found[f"prompt_encoder.point_embeddings.{point}.weight"] = (1, CHANNELS)
    for number, shape in {0: (4, 1, 2, 2), 1: (4,), 3: (16, 4, 2, 2), 4: (16,), 6: (CHANNELS, 16, 1, 1)}.items():
        add(f"prompt_encoder.mask_downscaling.{number}", *shape)
    for layer in range(2):
        name = f"mask_decoder.transformer.layers.{layer}"
        add_attention(add, f"{name}.self_attn", CHANNELS)
        add_attention(add, f"{name}.cross_attn_token_to_image", CHANNELS // 2)
        add_attention(add, f"{name}.cross_attn_image_to_token", CHANNELS // 2)
        add(f"{name}.mlp.lin1", 2 * CHANNELS, CHANNELS)
        add(f"{name}.mlp.lin2", CHANNELS, 2 * CHANNELS)
        for norm in range(1, 5):
            add(f"{name}.norm{norm}", CHANNELS)
    add_attention(add, "mask_decoder.transformer.final_attn_token_to_image", CHANNELS // 2)
    add("mask_decoder.transformer.norm_final_attn", CHANNELS)
    add("mask_decoder.output_upscaling.0", CHANNELS, CHANNELS // 4, 2, 2, bias=CHANNELS // 4)
    add("mask_decoder.output_upscaling.1", CHANNELS // 4)
    add("mask_decoder.output_upscaling.3", CHANNELS // 4, CHANNELS // 8, 2, 2, bias=CHANNELS // 8)
    heads = {f"output_hypernetworks_mlps.{mask}": CHANNELS // 8 for mask in range(4)} | {"iou_prediction_head": 4}
    for head, out in heads.items():
        for layer, rows in enumerate((CHANNELS, CHANNELS, out)):
            add(f"mask_decoder.{head}.layers.{layer}", rows, CHANNELS)
    return found


def add_attention(add, name: str, inner: int) -> None:
    for part in ("q_proj", "k_proj", "v_proj"):
        add(f"{name}.{part}", inner, CHANNELS)
    add(f"{name}.out_proj", CHANNELS, inner)


def checkpoint(sure: float) -> dict[str, torch.Tensor]:
    """Random weights, with predicted mask quality around `sure`."""
    generator = torch.Generator().manual_seed(0)
    state = {name: torch.randn(shape, generator=generator) / 2 for name, shape in shapes().items()}
    state["mask_decoder.iou_prediction_head.layers.2.weight"] /= 1000
    state["mask_decoder.iou_prediction_head.layers.2.bias"] = torch.full((4,), sure)
    return state


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "sam_vit_b_01ec64.pth"
    torch.save(checkpoint(sure=0.95), path)
    return path


def small_config():
    """That of the checkpoint's network."""
    import_torchvision()
    from transformers import SamConfig

    vision = {
        "hidden_size": WIDTH,
        "num_hidden_layers": DEPTH,
        "num_attention_heads": 2,
        "mlp_dim": 2 * WIDTH,
        "image_size": 64,
        "window_size": 2,
        "global_attn_indexes": [1],
        "output_channels": CHANNELS,
        "num_pos_feats": PLACES,
    }
    decoder = {"hidden_size": CHANNELS, "mlp_dim": 2 * CHANNELS, "iou_head_hidden_dim": CHANNELS}
    prompts = {"hidden_size": CHANNELS, "image_size": 64}
    return SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)


def overlap(a: Box, b: Box) -> float:
    shared = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1))
    common = max(shared.width, 0) * max(shared.height, 0)
    return common / (a.width * a.height + b.width * b.height - common)


@needs_transformers
def test_checkpoint_fits_the_network():
    """Strict loading: no missing and no unexpected tensors."""
    import_torchvision()  # which transformers imports
    from transformers import SamModel

    state = checkpoint(0.9)
    names = renamed(state)
    SamModel(small_config()).load_state_dict(names, strict=True)
    assert len(names) == len(state) + 1  # the embedding of places stands twice


@needs_transformers
def test_default_network_is_vit_b():
    """The numbers of build_sam_vit_b in Meta's repository."""
    import_torchvision()
    from transformers import SamConfig

    default = SamConfig()
    vision, decoder = default.vision_config, default.mask_decoder_config
    assert (vision.hidden_size, vision.num_hidden_layers, vision.num_attention_heads) == (768, 12, 12)
    assert (vision.global_attn_indexes, vision.window_size, vision.mlp_dim) == ([2, 5, 8, 11], 14, 3072)
    assert (vision.image_size, vision.patch_size, vision.output_channels) == (1024, 16, 256)
    assert (decoder.hidden_size, decoder.mlp_dim, decoder.iou_head_hidden_dim) == (256, 2048, 256)


@needs_transformers
@pytest.mark.parametrize(("height", "width"), [(96, 64), (200, 300), (64, 64), (30, 300)])
def test_image_gives_regions_best_first(weights, draw, monkeypatch, height, width):
    monkeypatch.setattr(sam, "MIN_STABILITY", 0.0)  # random masks have ragged edges
    found = SegmentAnything(weights, small_config())(draw(1, width, height))
    assert 0 < len(found) <= 20
    for region in found:
        assert region.kind == "sam" and region.label == "" and 0 <= region.score <= 1
        assert region.box.x0 >= 0 and region.box.x1 <= width and region.box.y0 >= 0 and region.box.y1 <= height
        assert min(region.box.width, region.box.height) >= 8
    assert [r.score for r in found] == sorted((r.score for r in found), reverse=True)
    assert all(overlap(a.box, b.box) <= 0.7 for i, a in enumerate(found) for b in found[:i])


@needs_transformers
def test_image_is_embedded_once(weights, draw, monkeypatch):
    find, seen = SegmentAnything(weights, small_config()), []
    find._network.vision_encoder.register_forward_hook(lambda *_: seen.append(1))
    find(draw(1, 64, 64))
    assert len(seen) == 1


@needs_transformers
def test_masks_with_low_predicted_iou_are_dropped(tmp_path: Path, draw):
    torch.save(checkpoint(sure=0.5), tmp_path / "sam.pth")
    assert SegmentAnything(tmp_path / "sam.pth", small_config())(draw(1, 64, 64)) == []


def masks(*boxes: tuple[int, int, int, int]) -> torch.Tensor:
    drawn = torch.full((len(boxes), 16, 16), -8.0)
    for mask, (x0, y0, x1, y1) in zip(drawn, boxes, strict=True):
        mask[y0:y1, x0:x1] = 8.0
    return drawn


def test_regions_are_in_pixels_of_the_image():
    """A 320 x 160 image fills the upper half of the square network input: 20 pixels per mask pixel."""
    found = as_regions(masks((2, 1, 6, 4), (0, 0, 16, 16)), torch.tensor([0.9, 0.95]), (320, 160), 20.0)
    assert [region.box for region in found] == [Box(0, 0, 320, 160), Box(40, 20, 120, 80)]
    assert [region.score for region in found] == pytest.approx([0.95, 0.9])


def test_better_of_two_similar_masks_is_kept():
    alike = masks((2, 2, 10, 10), (2, 2, 10, 11), (11, 11, 15, 15))
    found = as_regions(alike, torch.tensor([0.9, 0.99, 0.91]), (64, 64), 4.0)
    assert [region.box for region in found] == [Box(8, 8, 40, 44), Box(44, 44, 60, 60)]


def test_score_above_one_is_clipped():
    assert as_regions(masks((2, 2, 10, 10)), torch.tensor([1.02]), (64, 64), 4.0)[0].score == 1


def test_unstable_empty_and_tiny_masks_are_dropped():
    some = masks((2, 2, 10, 10), (3, 3, 3, 3), (4, 4, 5, 5))
    some[0, 2:4, 2:10] = 0.5  # outside at a slightly higher threshold
    assert as_regions(some, torch.tensor([0.9, 0.9, 0.9]), (64, 64), 4.0) == []
    assert as_regions(some[:0], torch.zeros(0), (64, 64), 4.0) == []
