"""torchvision works in every kind of installation. Each case runs in its own process, because imports happen once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from retrieval.networks.torchvision_compat import align_regions, import_torchvision, non_maximum_suppression

ROOT = Path(__file__).parents[3]
AS_INSTALLED = """
import json, torch
from retrieval.networks import torchvision_compat as compat
state = compat.torchvision_state()
torchvision = compat.import_torchvision()
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
from torchvision.ops import batched_nms, nms
torch.manual_seed(0)
detector = fasterrcnn_mobilenet_v3_large_320_fpn(
    weights=None, weights_backbone=None, rpn_post_nms_top_n_test=20, min_size=64, max_size=64
).eval()
with torch.inference_mode():
    found = detector([torch.rand(3, 64, 64)])[0]
boxes = torch.tensor([[0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]], dtype=torch.float32)
scores = torch.tensor([0.5, 0.9, 0.1])
print(json.dumps({
    "state": state,
    "again": compat.torchvision_state(),
    "registered": len(compat._registrations),
    "keys": sorted(found),
    "nms": nms(boxes, scores, 0.5).tolist(),
    "batched": batched_nms(boxes, scores, torch.tensor([0, 1, 0]), 0.5).tolist(),
}))
"""
ABSENT = """
import json, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torchvision":
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Blocked())
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torchvision" else real(name, package)
from retrieval.networks import torchvision_compat as compat
from retrieval.networks.backbones import choose_backbone
state = compat.torchvision_state()
try:
    compat.import_torchvision()
    imported = True
except ImportError:
    imported = False
backbone, sentence = choose_backbone("auto", offline=False)
from boxfind.engine import Engine
from boxfind.doctor import examine
from boxfind.settings import Settings
print(json.dumps({
    "state": state, "imported": imported, "backbone": backbone.name, "sentence": sentence,
    "doctor": examine(Settings.load()).torchvision,
}))
"""
HEALTHY = """
import json, torch
operators = torch.library.Library("torchvision", "DEF")  # what a compiled _C registers when it loads
operators.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from retrieval.networks import torchvision_compat as compat
state = compat.torchvision_state()
torchvision = compat.import_torchvision()
print(json.dumps({"state": state, "registered": len(compat._registrations), "stub": torchvision.STUB}))
"""


def told_by(script: str, extra_path: Path | None = None) -> dict:
    path = os.pathsep.join(str(p) for p in (extra_path, ROOT) if p)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_r45_as_installed_here_a_detector_runs():
    told = told_by(AS_INSTALLED)
    assert told["state"] == told["again"] and told["state"] in ("healthy", "repaired")
    assert told["registered"] == (told["state"] == "repaired")
    assert told["keys"] == ["boxes", "labels", "scores"]
    assert told["nms"] == [1, 2] and told["batched"] == [1, 0, 2]


def test_r45_absent_it_costs_only_the_networks_that_need_it():
    told = told_by(ABSENT)
    assert told["state"] == "missing" and not told["imported"]
    assert told["backbone"] == "efficientnet-lite0" and told["sentence"].endswith(".")
    assert told["doctor"].startswith("missing")


def test_r45_healthy_it_is_left_alone(tmp_path: Path):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("STUB = 1\n")
    assert told_by(HEALTHY, tmp_path) == {"state": "healthy", "registered": 0, "stub": 1}


def plain_nms(boxes: list[list[float]], scores: list[float], threshold: float) -> list[int]:
    def overlap(a: list[float], b: list[float]) -> float:
        w = min(a[2], b[2]) - max(a[0], b[0])
        h = min(a[3], b[3]) - max(a[1], b[1])
        shared = max(w, 0) * max(h, 0)
        return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)

    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda row: -scores[row]):
        if all(overlap(boxes[row], boxes[other]) <= threshold for other in kept):
            kept.append(row)
    return kept


@pytest.mark.parametrize("seed", range(20))
def test_nms_equals_a_plain_loop(seed):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.randint(0, 40, (seed * 5, 2), generator=generator).double()
    sizes = torch.randint(1, 30, (seed * 5, 2), generator=generator).double()
    boxes = torch.cat([corners, corners + sizes], dim=1)
    scores = torch.randint(0, 10, (len(boxes),), generator=generator) / 10  # with ties: the first row goes first
    for threshold in (0.0, 0.3, 0.7, 1.0):
        kept = non_maximum_suppression(boxes, scores, threshold)
        assert kept.dtype == torch.int64
        assert kept.tolist() == plain_nms(boxes.tolist(), scores.tolist(), threshold)


def test_nms_on_an_example():
    square, half, far = [0.0, 0, 10, 10], [0.0, 0, 10, 5], [50.0, 50, 60, 60]
    boxes, scores = torch.tensor([half, square, far]), torch.tensor([0.9, 0.5, 0.7])
    assert non_maximum_suppression(boxes, scores, 0.5).tolist() == [0, 2, 1]  # an overlap of exactly 0.5 is allowed
    assert non_maximum_suppression(boxes, scores, 0.49).tolist() == [0, 2]
    assert non_maximum_suppression(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(("samples", "bins"), [(2, (7, 7)), (1, (2, 5)), (3, (4, 3))])
def test_roi_align_equals_the_python_implementation_of_torchvision(samples, bins, aligned):
    """For maps of any shape and for boxes inside, outside, empty, or more than one block."""
    generator = torch.Generator().manual_seed(samples)
    features = torch.randn(2, 3, 9, 13, generator=generator)
    corners = torch.rand(300, 2, generator=generator) * torch.tensor([240.0, 180.0]) - 30
    corners[:5] = -200  # far outside
    sizes = torch.rand(300, 2, generator=generator) * 120 * (torch.arange(300) % 7 > 0)[:, None]
    images = torch.randint(0, 2, (300, 1), generator=generator)
    regions = torch.cat([images, corners, corners + sizes], dim=1)
    import_torchvision()
    import importlib

    stand_in = reference_alignment(importlib.import_module("torchvision.ops.roi_align"))
    expected = stand_in(features, regions, 1 / 16, *bins, samples, aligned)
    found = align_regions(features, regions, 1 / 16, *bins, samples, aligned)
    assert found.shape == (300, 3, *bins) and expected.abs().max() > 0.5
    assert torch.allclose(found, expected, atol=1e-4)
    assert align_regions(features, regions[:0], 1 / 16, *bins, samples, aligned).shape == (0, 3, *bins)


def reference_alignment(module):
    """torchvision's Python RoIAlign, uncompiled, from its source; a repaired installation replaces it."""
    source = Path(module.__file__).read_text(encoding="utf-8").replace("@lazy_compile(dynamic=True)", "")
    fresh = {"__name__": module.__name__, "__package__": module.__package__}
    exec(compile(source, module.__file__, "exec"), fresh)
    return fresh["_roi_align"]
