"""Detect objects of the 80 COCO categories with Faster R-CNN."""

from pathlib import Path

import numpy as np

from retrieval.networks.architectures import frozen_batch_norm, load_state
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.types import Box, Image, Region

MAX_REGIONS = 20
MIN_SCORE = 0.3


class Detector:
    """torchvision's Faster R-CNN (Ren et al., NeurIPS 2015) with a ResNet50 feature pyramid."""

    def __init__(self, weights: Path) -> None:
        import_torchvision()
        from torchvision.models.detection import FasterRCNN, FasterRCNN_ResNet50_FPN_Weights
        from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

        self._names = FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
        body = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=frozen_batch_norm())
        self._network = FasterRCNN(
            body, len(self._names), box_score_thresh=MIN_SCORE, box_detections_per_img=MAX_REGIONS
        )
        self._network.load_state_dict(load_state(weights))
        self._network.eval()

    def __call__(self, image: Image) -> list[Region]:
        """Up to 20 regions of an image (H, W, 3), in pixels, best first, labelled with their category."""
        import torch

        pixels = torch.tensor(image.transpose(2, 0, 1), dtype=torch.float32) / 255
        with torch.inference_mode():
            found = self._network([pixels])[0]
        corners = np.asarray(found["boxes"])
        edges = np.hstack([np.floor(corners[:, :2]), np.ceil(corners[:, 2:])]).astype(int)
        return [
            Region(Box(*box).clipped(image.shape[1], image.shape[0]), "detector", float(score), self._names[label])
            for box, score, label in zip(edges.tolist(), found["scores"], found["labels"], strict=True)
        ]
