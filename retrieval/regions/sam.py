"""Finds everything in a picture that can be cut out, named or not: Segment Anything, asked about a grid of points."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from retrieval.images.resize import resize_image
from retrieval.networks.architectures import IMAGENET_MEAN, IMAGENET_STD, load_state
from retrieval.networks.torchvision_compat import import_torchvision, non_maximum_suppression
from retrieval.networks.weights import Weights
from retrieval.optional_packages import TRANSFORMERS
from retrieval.regions.sam_checkpoint import renamed
from retrieval.types import Box, Image, Region

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import SamConfig

SAM_VIT_B = Weights(
    file="sam_vit_b_01ec64.pth",  # Meta's name has the beginning of its MD5
    sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    megabytes=375,
    url="https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth",
)
COUNT = 20
"""No more boxes a picture."""
POINTS = 16
"""Points along each side of the grid; the paper takes 32, for four times the time, to get the smallest things too."""
BATCH = 64
"""Points asked about at once."""
MIN_IOU_SCORE = 0.88
"""The predicted overlap with the true mask from which on a mask is kept, as in the paper."""
STABLE = 0.95
"""Overlap of the masks cut a little above and a little below the threshold, as in the paper."""
OFFSET = 1.0
"""How far above and below, in logits."""
OVERLAP = 0.7
"""Intersection over union from which on two boxes are one."""
SMALLEST = 8
"""Pixels of a side."""


class SegmentAnything:
    """SAM (Kirillov et al., ICCV 2023), in transformers' form. Raises RuntimeMissing when that is not installed."""

    def __init__(self, weights: Path, config: "SamConfig | None" = None) -> None:
        """`config` describes the network; without it, it is ViT-B."""
        TRANSFORMERS.check("sam")
        import_torchvision()
        from transformers import SamConfig, SamModel

        make, network = cast(Any, SamConfig), cast(Any, SamModel)  # transformers has half of its types
        self._network = network(config or make())
        self._network.load_state_dict(renamed(load_state(weights)))
        self._network.eval()

    def __call__(self, image: Image) -> list[Region]:
        """Up to 20 boxes in pixels of an image (H, W, 3), best predicted mask first, without labels."""
        import torch

        height, width = image.shape[:2]
        side = self._network.config.vision_config.image_size
        scale = side / max(width, height)
        shown = resize_image(image, max(round(width * scale), 1), max(round(height * scale), 1))
        with torch.inference_mode():
            seen = self._network.get_image_embeddings(_padded(shown, side))  # once, whatever is asked
            answers = [self._ask(seen, points) for points in torch.split(_grid(shown), BATCH)]
        masks, scores = (torch.cat(parts) for parts in zip(*answers, strict=True))
        cell = side / masks.shape[-1] / scale  # pixels of the image to one of the mask
        return as_regions(masks, scores, (width, height), cell)

    def _ask(self, seen: "Tensor", points: "Tensor") -> "tuple[Tensor, Tensor]":
        """Masks (M, h, w), as logits, and predicted overlaps (M,) of what lies at points (P, 2): three sizes each."""
        told = self._network(image_embeddings=seen, input_points=points[None, :, None], multimask_output=True)
        masks, scores = told.pred_masks[0].flatten(0, 1), told.iou_scores[0].flatten()
        good = scores >= MIN_IOU_SCORE
        return masks[good], scores[good]


def as_regions(masks: "Tensor", scores: "Tensor", size: tuple[int, int], cell: float) -> list[Region]:
    """Boxes round the masks (M, h, w), logits, that are stable, best score (M,) first, none much like a better one.

    `size` is the picture's (width, height), and `cell` how many of its pixels a pixel of a mask is wide and high.
    """
    import torch

    masks = masks[:, : int(np.ceil(size[1] / cell)), : int(np.ceil(size[0] / cell))]  # beyond is only padding
    surely, perhaps = ((masks > offset).sum(dim=(1, 2)) for offset in (OFFSET, -OFFSET))
    stable = (surely > 0) & (surely >= STABLE * perhaps)
    masks, scores = masks[stable] > 0, scores[stable]
    corners = [_corners(np.asarray(mask), cell, size) for mask in masks]
    kept = [i for i, box in enumerate(corners) if min(box.width, box.height) >= SMALLEST]
    boxes = torch.tensor([[box.x0, box.y0, box.x1, box.y1] for box in (corners[i] for i in kept)]).reshape(-1, 4)
    best = non_maximum_suppression(boxes, scores[kept], OVERLAP)[:COUNT].tolist()
    return [Region(corners[kept[i]], "sam", min(max(float(scores[kept[i]]), 0.0), 1.0)) for i in best]


def _corners(mask: Any, cell: float, size: tuple[int, int]) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x0, y0, x1, y1 = (round(v * cell) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return Box(x0, y0, x1, y1).clipped(*size)


def _grid(shown: Image) -> "Tensor":
    """Points (P, 2), x and y, each in the middle of one of 16 x 16 equal parts of what is shown."""
    import torch

    middles = (np.arange(POINTS) + 0.5) / POINTS
    x, y = np.meshgrid(middles * shown.shape[1], middles * shown.shape[0])
    return torch.tensor(np.stack([x.ravel(), y.ravel()], axis=1), dtype=torch.float32)


def _padded(shown: Image, side: int) -> "Tensor":
    """(1, 3, side, side): normalised, then zeros to the right and below."""
    import torch
    from torch.nn.functional import pad

    pixels = (shown / 255 - IMAGENET_MEAN) / IMAGENET_STD
    tensor = torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32)
    return pad(tensor, (0, side - shown.shape[1], 0, side - shown.shape[0]))
