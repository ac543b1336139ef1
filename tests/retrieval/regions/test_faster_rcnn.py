"""Faster R-CNN loads torchvision's checkpoint, as a detector and as a backbone."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from retrieval.networks.architectures import IMAGENET_MEAN, IMAGENET_STD
from retrieval.networks.backbones import find_backbone
from retrieval.networks.torchvision_compat import import_torchvision
from retrieval.networks.torchvision_networks import FASTER_RCNN
from retrieval.regions.faster_rcnn import Detector
from retrieval.regions.region_detectors import REGION_DETECTORS

CAT = 17
"""COCO category number."""


def untrained():
    """Random weights that keep activations in range; every detected box is classified as a cat."""
    import_torchvision()
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
    from torchvision.ops import FrozenBatchNorm2d

    torch.manual_seed(0)
    network = FasterRCNN(resnet_fpn_backbone(backbone_name="resnet50", weights=None, trainable_layers=0), 91).eval()
    for module in network.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.running_var.mul_(4)
            module.eps = 0.0
    torch.nn.init.constant_(network.roi_heads.box_predictor.cls_score.bias[CAT : CAT + 1], 6)
    return network


def as_published(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensor names as in the file from 2019, where the pyramid and proposal layers had no `.0`."""
    renamed = {}
    for name, tensor in state.items():
        name = re.sub(r"(fpn\.\w+_blocks\.\d)\.0\.", r"\1.", name)
        renamed[name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")] = tensor
    assert "rpn.head.conv.weight" in renamed and "backbone.fpn.inner_blocks.3.bias" in renamed
    return renamed


@pytest.fixture(scope="module")
def network():
    return untrained()


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / FASTER_RCNN.file
    torch.save(as_published(network.state_dict()), path, _use_new_zipfile_serialization=False)  # as torch did then
    return path


def detector(weights: Path) -> Detector:
    """A detector with a quarter of the input size, to save time."""
    find = Detector(weights)
    assert find._network.transform.min_size == (800,) and find._network.transform.max_size == 1333  # as it was trained
    find._network.transform.min_size = (200,)
    return find


def test_regions_are_labelled_sorted_by_score_and_rounded_outwards(network, weights, draw):
    image = draw(1, 200, 120)
    found = detector(weights)(image)
    assert 0 < len(found) <= 20
    assert {(region.kind, region.label) for region in found} == {("detector", "cat")}
    scores = [region.score for region in found]
    assert scores == sorted(scores, reverse=True) and scores[-1] >= 0.3 and scores[0] <= 1
    for region in found:
        inside = region.box.clipped(200, 120)
        assert region.box == inside and min(inside.width, inside.height) > 0
    network.transform.min_size = (200,)
    with torch.inference_mode():
        own = network([torch.tensor(image.transpose(2, 0, 1) / 255, dtype=torch.float32)])[0]
    best = own["boxes"][0].numpy()
    rounded_outwards = np.array([found[0].box.x0, found[0].box.y0, found[0].box.x1, found[0].box.y1]) - best
    assert (rounded_outwards * (-1, -1, 1, 1) > -0.01).all() and (np.abs(rounded_outwards) < 1.01).all()
    assert scores[:5] == pytest.approx(own["scores"][:5].tolist(), abs=1e-4)


def test_detections_with_low_scores_are_dropped(network, weights, tmp_path: Path, draw):
    state = torch.load(weights, weights_only=True)
    state["roi_heads.box_predictor.cls_score.bias"][CAT] = 0
    torch.save(state, tmp_path / "unsure.pth")
    assert detector(tmp_path / "unsure.pth")(draw(1, 64, 64)) == []


def test_backbone_has_the_layers_of_the_detector(network, weights, draw):
    backbone = find_backbone("fasterrcnn-resnet50")
    pixels = draw(2, 160, 96)
    with torch.inference_mode():
        coarse, fine = backbone.make(weights)(torch.from_numpy(pixels[None].copy()))
        normalised = (pixels / 255 - IMAGENET_MEAN) / IMAGENET_STD
        own = network.backbone.body(torch.tensor(normalised.transpose(2, 0, 1)[None], dtype=torch.float32))
    assert coarse.shape == (1, 2048, 3, 5) and fine.shape == (1, 1024, 6, 10) and backbone.channels == (2048, 1024)
    for layer, expected in ((coarse, own["3"]), (fine, own["2"])):
        assert float(expected.std()) > 1e-3
        assert layer.numpy() == pytest.approx(expected.numpy(), rel=1e-3, abs=1e-4 * float(expected.max()))


def test_detector_and_backbone_share_one_weights_file():
    assert REGION_DETECTORS["detector"].weights is find_backbone("fasterrcnn-resnet50").weights is FASTER_RCNN
