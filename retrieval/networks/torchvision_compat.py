"""Make torchvision importable with a torch it was not compiled for.

The default torchvision wheel is a CUDA build. With a CPU-only torch its compiled operators do not load, and the import
fails with "operator torchvision::nms does not exist" (pytorch/vision issues 9077 and 8985). If the operators load,
nothing is changed. Otherwise the two operator schemas that the import needs are registered, and NMS and RoIAlign get a
PyTorch implementation. torchvision's own RoIAlign fallback needs a C++ compiler, which few machines have.
"""

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

_registrations: list[Any] = []  # a garbage-collected torch.library.Library drops its registrations


def import_torchvision() -> ModuleType:
    """Import torchvision, repaired if necessary. Raises ImportError when it is not installed."""
    torchvision_state()
    return importlib.import_module("torchvision")


@cache
def torchvision_state() -> str:
    """`missing`, `healthy` or `repaired` (operators replaced). Determined once, before torchvision is imported."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return "missing"
    if _compiled_operators_load(Path(spec.origin).parent):
        return "healthy"
    _register_missing_operators()
    boxes: Any = importlib.import_module("torchvision.ops.boxes")
    boxes._assert_has_ops = lambda: None  # NMS is available now, in Python
    roi_align: Any = importlib.import_module("torchvision.ops.roi_align")
    roi_align._roi_align = align_regions
    roi_align.is_compile_supported = lambda _: True
    return "repaired"


def _compiled_operators_load(package: Path) -> bool:
    torch: Any = importlib.import_module("torch")  # torch.library has no type hints
    try:
        for library in package.glob("_C.*"):
            torch.ops.load_library(str(library))
        _ = torch.ops.torchvision.nms
    except (OSError, AttributeError, RuntimeError):
        return False
    return True


def _register_missing_operators() -> None:
    torch: Any = importlib.import_module("torch")
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", non_maximum_suppression, "CPU")
    library.impl("qnms", non_maximum_suppression, "CPU")
    _registrations.append(library)


def non_maximum_suppression(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """Greedy NMS. boxes (N, 4) as x0, y0, x1, y1; scores (N,) -> kept rows, best score first."""
    import torch

    boxes = boxes.to(torch.float32)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        top_left = torch.maximum(boxes[best, :2], boxes[rest, :2])
        bottom_right = torch.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = (bottom_right - top_left).clamp(min=0).prod(dim=1)
        order = rest[shared <= iou_threshold * (area[best] + area[rest] - shared)]
    return torch.stack(kept) if kept else order.new_empty(0)


def align_regions(
    features: Any, regions: Any, scale: float, height: int, width: int, samples: int, aligned: bool
) -> Any:
    """RoIAlign (He et al., ICCV 2017). features (N, C, H, W), K regions -> (K, C, height, width).

    regions (K, 5) are (image number, x0, y0, x1, y1) in pixels; `scale` converts pixels to cells. Each bin averages
    `samples` x `samples` samples, at least 1. `aligned` puts the centre of the first cell at 0.5.
    """
    import torch

    aligned_regions = features.new_empty(len(regions), features.shape[1], height, width)
    boxes = regions[:, 1:] * scale - (0.5 if aligned else 0)
    for image, layer in enumerate(features):
        for rows in torch.split(torch.nonzero(regions[:, 0] == image)[:, 0], _BLOCK_REGIONS):
            aligned_regions[rows] = _align(layer, boxes[rows], (height, width), samples, 0 if aligned else 1)
    return aligned_regions


_BLOCK_REGIONS = 128  # all regions of an image at once would take a gigabyte


def _align(layer: Any, boxes: Any, bins: tuple[int, int], samples: int, least: int) -> Any:
    """layer (C, H, W); boxes (K, 4) in cells, widened to at least `least` -> (K, C, *bins)."""
    import torch
    from torch.nn.functional import avg_pool2d, grid_sample

    axes = []
    for axis, count, length in ((0, bins[1], layer.shape[2]), (1, bins[0], layer.shape[1])):
        start, side = boxes[:, axis, None], (boxes[:, axis + 2] - boxes[:, axis]).clamp(min=least)[:, None]
        places = start + side * (torch.arange(count * samples) + 0.5) / (count * samples)
        axes.append(places / max(length - 1, 1) * 2 - 1)  # -1 is the centre of the first cell, 1 of the last
    x, y = axes
    across = (-1, y.shape[1], x.shape[1])
    grid = torch.stack([x[:, None].expand(across), y[:, :, None].expand(across)], dim=-1)  # (K, h, w, 2)
    sampled = grid_sample(layer[None], grid.flatten(0, 1)[None], padding_mode="border", align_corners=True)[0]
    return avg_pool2d(sampled.reshape(len(layer), *grid.shape[:3]).transpose(0, 1), samples)
