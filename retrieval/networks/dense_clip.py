"""Make the image encoder of a CLIP dense: each cell gets a vector in the space that pictures share with sentences.

The encoder ends by pooling all cells into one vector. A dense encoder gives each cell alone to that ending, as though
the picture were only this cell. Where a class token gathers the picture in the last block, each cell goes through that
block alone too: MaskCLIP (Zhou et al., ECCV 2022) does the same.
"""

from typing import TYPE_CHECKING, Any

from retrieval.networks.architectures import two_layers
from retrieval.networks.timm_networks import timm_library

if TYPE_CHECKING:
    from torch import Tensor, nn


def dense_layers(visual: Any, pool: str = "", trunk_name: str = "") -> "nn.Module":
    """An encoder of open_clip -> a network of images (N, 3, H, W): cells in the joint space, and cells before.

    `pool` and `trunk_name` are those of its configuration, for an encoder of timm. Raises TypeError for an encoder of
    another kind.
    """
    from torch import nn

    if hasattr(visual, "attnpool"):
        return _resnet(visual)
    ending = _ending(visual, pool, trunk_name)

    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ending = ending

        def forward(self, images: "Tensor") -> "tuple[Tensor, Tensor]":
            cells = self.ending.cells(images)  # (N, C, h, w)
            count, channels, height, width = cells.shape
            alone = cells.permute(0, 2, 3, 1).reshape(count * height * width, 1, channels)
            joint = self.ending(alone)  # (N * h * w, D)
            return joint.reshape(count, height, width, joint.shape[-1]).permute(0, 3, 1, 2), cells

    return Dense()


def _ending(visual: Any, pool: str, trunk_name: str) -> Any:
    if hasattr(visual, "trunk"):
        trunk = visual.trunk
        is_transformer = hasattr(trunk, "blocks") and hasattr(trunk, "num_prefix_tokens")
        return _trunk_transformer(visual, pool, trunk_name) if is_transformer else _trunk_cnn(visual)
    if hasattr(visual, "transformer"):
        return _transformer(visual)
    raise TypeError(f"its image encoder is a {type(visual).__name__}")


def _transformer(visual: Any) -> "nn.Module":
    """open_clip's own vision transformer. Its position embeddings are resized to the image."""
    import torch
    from torch import nn

    gathers = visual.attn_pool is None and visual.pool_type == "tok"
    length = 2 if visual.pool_type == "avg" else 1  # averages leave out the first token

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = visual

        def cells(self, images: "Tensor") -> "Tensor":
            patches = visual.conv1(images)
            count, _, height, width = patches.shape
            tokens = torch.cat([visual.class_embedding.expand(count, 1, -1), patches.flatten(2).transpose(1, 2)], dim=1)
            places = timm_library().layers.resample_abs_pos_embed(
                visual.positional_embedding[None], [height, width], visual.grid_size, num_prefix_tokens=1
            )
            tokens = visual.ln_pre(tokens + places)
            for block in visual.transformer.resblocks[: -1 if gathers else None]:
                tokens = block(tokens)
            found: Tensor = tokens[:, 1:].transpose(1, 2).reshape(patches.shape)
            return found

        def forward(self, alone: "Tensor") -> "Tensor":
            if gathers:
                alone = visual.transformer.resblocks[-1](alone)
            pooled = visual._pool(alone.expand(-1, length, -1))[0]
            joint: Tensor = pooled if visual.proj is None else pooled @ visual.proj
            return joint

    return Transformer()


def _trunk_transformer(visual: Any, pool: str, trunk_name: str) -> "nn.Module":
    """Recreate a vision transformer of timm so that it takes images of any size, with the same weights."""
    from torch import nn

    fixed, options = visual.trunk, {"global_pool": pool} if pool else {}
    trunk = timm_library().create_model(trunk_name, num_classes=fixed.num_classes, dynamic_img_size=True, **options)
    trunk.load_state_dict(fixed.state_dict(), assign=True)
    trunk.eval()
    gathers = trunk.global_pool == "token"
    last = len(trunk.blocks) - (2 if gathers else 1)
    length = 1 + trunk.num_prefix_tokens if "avg" in trunk.global_pool else 1  # averages leave out the first tokens

    class TrunkTransformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.head = trunk, visual.head

        def cells(self, images: "Tensor") -> "Tensor":
            found: Tensor = trunk.forward_intermediates(
                images, indices=[last], norm=not gathers, intermediates_only=True
            )[0]
            return found

        def forward(self, alone: "Tensor") -> "Tensor":
            if gathers:
                alone = trunk.norm(trunk.blocks[-1](alone))
            joint: Tensor = visual.head(trunk.forward_head(alone.expand(-1, length, -1)))
            return joint

    return TrunkTransformer()


def _trunk_cnn(visual: Any) -> "nn.Module":
    """A network of timm whose features are a map, such as MobileCLIP's."""
    from torch import nn

    class TrunkCnn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = visual

        def cells(self, images: "Tensor") -> "Tensor":
            found: Tensor = visual.trunk.forward_features(images)
            return found

        def forward(self, alone: "Tensor") -> "Tensor":
            joint: Tensor = visual.head(visual.trunk.forward_head(alone.transpose(1, 2)[..., None]))
            return joint

    return TrunkCnn()


def _resnet(visual: Any) -> "nn.Module":
    """A ResNet of CLIP: its last stage in the joint space, and the stage before."""
    from torch import nn

    stem = (visual.conv1, visual.bn1, visual.act1, visual.conv2, visual.bn2, visual.act2, visual.conv3, visual.bn3)
    body = nn.Sequential(*stem, visual.act3, visual.avgpool, visual.layer1, visual.layer2, visual.layer3)
    head = nn.Sequential(visual.layer4, _attention_pool(visual.attnpool))
    return two_layers(body, head)


def _attention_pool(pool: Any) -> "nn.Module":
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
