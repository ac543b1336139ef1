"""Find the regions of an image with Segment Anything, prompted with a grid of points. No labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from retrieval.images.resize import resize_image
from retrieval.networks.architectures import IMAGENET_MEAN, IMAGENET_STD, load_state
from retrieval.networks.torchvision_compat import import_torchvision, non_maximum_suppression
from retrieval.networks.weights import Weights
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
MAX_REGIONS = 20
POINTS_PER_SIDE = 16  # the paper uses 32, which finds smaller objects in four times the time
POINTS_PER_BATCH = 64
MIN_PREDICTED_IOU = 0.88  # as in the paper
MIN_STABILITY = 0.95  # of the masks at two thresholds, as in the paper: minimum intersection over union
STABILITY_OFFSET = 1.0  # logits: the distance of these thresholds from 0
MAX_BOX_IOU = 0.7
MIN_SIDE = 8  # pixels


class SegmentAnything:
    """SAM (Kirillov et al., ICCV 2023) as implemented in transformers."""

    def __init__(self, weights: Path, config: "SamConfig | None" = None) -> None:
        """`config` describes the network; the default is ViT-B."""
        import_torchvision()
        from transformers import SamConfig, SamModel

        default_config, model = cast(Any, SamConfig), cast(Any, SamModel)  # transformers is only partly typed
        self._network = model(config or default_config())
        self._network.load_state_dict(renamed(load_state(weights)))
        self._network.eval()

    def __call__(self, image: Image) -> list[Region]:
        """Up to 20 regions in pixels of an image (H, W, 3), best predicted mask first."""
        import torch

        height, width = image.shape[:2]
        side = self._network.config.vision_config.image_size
        scale = side / max(width, height)
        resized = resize_image(image, max(round(width * scale), 1), max(round(height * scale), 1))
        with torch.inference_mode():
            embedding = self._network.get_image_embeddings(_network_input(resized, side))  # once for all points
            batches = torch.split(_point_grid(resized), POINTS_PER_BATCH)
            answers = [self._masks_at(embedding, points) for points in batches]
        masks, scores = (torch.cat(parts) for parts in zip(*answers, strict=True))
        return as_regions(masks, scores, (width, height), cell=side / masks.shape[-1] / scale)

    def _masks_at(self, embedding: "Tensor", points: "Tensor") -> "tuple[Tensor, Tensor]":
        """Logits (M, h, w) and predicted IoUs (M,) of the good masks at points (P, 2), of three candidates for each."""
        output = self._network(image_embeddings=embedding, input_points=points[None, :, None], multimask_output=True)
        masks, scores = output.pred_masks[0].flatten(0, 1), output.iou_scores[0].flatten()
        good = scores >= MIN_PREDICTED_IOU
        return masks[good], scores[good]


def as_regions(masks: "Tensor", scores: "Tensor", size: tuple[int, int], cell: float) -> list[Region]:
    """Boxes around the stable masks, best first, after non-maximum suppression.

    masks (M, h, w) are logits, scores (M,) their predicted IoUs. `size` is the (width, height) of the image, and `cell`
    the side of a mask pixel in image pixels.
    """
    import torch

    masks = masks[:, : int(np.ceil(size[1] / cell)), : int(np.ceil(size[0] / cell))]  # the rest is padding
    smaller, larger = ((masks > threshold).sum(dim=(1, 2)) for threshold in (STABILITY_OFFSET, -STABILITY_OFFSET))
    stable = (smaller > 0) & (smaller >= MIN_STABILITY * larger)
    masks, scores = masks[stable] > 0, scores[stable]
    bounds = [_bounding_box(np.asarray(mask), cell, size) for mask in masks]
    kept = [i for i, box in enumerate(bounds) if min(box.width, box.height) >= MIN_SIDE]
    boxes = torch.tensor([[box.x0, box.y0, box.x1, box.y1] for box in (bounds[i] for i in kept)]).reshape(-1, 4)
    best = non_maximum_suppression(boxes, scores[kept], MAX_BOX_IOU)[:MAX_REGIONS].tolist()
    return [Region(bounds[kept[i]], "sam", min(max(float(scores[kept[i]]), 0.0), 1.0)) for i in best]


def _bounding_box(mask: Any, cell: float, size: tuple[int, int]) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x0, y0, x1, y1 = (round(v * cell) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return Box(x0, y0, x1, y1).clipped(*size)


def _point_grid(resized: Image) -> "Tensor":
    """Points (P, 2) as x, y, in the centres of 16 x 16 equal cells of the resized image."""
    import torch

    centres = (np.arange(POINTS_PER_SIDE) + 0.5) / POINTS_PER_SIDE
    x, y = np.meshgrid(centres * resized.shape[1], centres * resized.shape[0])
    return torch.tensor(np.stack([x.ravel(), y.ravel()], axis=1), dtype=torch.float32)


def _network_input(resized: Image, side: int) -> "Tensor":
    """(1, 3, side, side): normalised, then padded with zeros on the right and below."""
    import torch
    from torch.nn.functional import pad

    pixels = (resized / 255 - IMAGENET_MEAN) / IMAGENET_STD
    tensor = torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32)
    return pad(tensor, (0, side - resized.shape[1], 0, side - resized.shape[0]))
