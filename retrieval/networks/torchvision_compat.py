"""Makes torchvision usable beside a torch it was not compiled for.

The registry's torchvision is a CUDA build. Beside a CPU-only torch its compiled operators cannot be loaded, and its
import then fails with "operator torchvision::nms does not exist" (pytorch/vision issues 9077 and 8985). Where the
operators load, nothing is changed. Where they do not, the two schemas the import asks for are registered, and what
detection models need gets a PyTorch implementation: NMS, and RoIAlign, whose stand-in in torchvision itself would
first be compiled, by a C++ compiler that few machines have.
"""

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

_kept: list[Any] = []  # a torch.library.Library takes its registrations along when it is garbage-collected


def import_torchvision() -> ModuleType:
    """The torchvision module, repaired if need be. Raises ImportError when it is not installed."""
    torchvision_state()
    return importlib.import_module("torchvision")


@cache
def torchvision_state() -> str:
    """`missing`, `healthy`, or `repaired` (operators replaced); decided once, before torchvision is imported."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return "missing"
    if _compiled_operators_load(Path(spec.origin).parent):
        return "healthy"
    _register_missing_operators()
    boxes = importlib.import_module("torchvision.ops.boxes")
    vars(boxes)["_assert_has_ops"] = lambda: None  # NMS is there now, though not compiled
    aligning = vars(importlib.import_module("torchvision.ops.roi_align"))
    aligning["_roi_align"], aligning["is_compile_supported"] = align_regions, lambda _: True  # which leads to it
    return "repaired"


def _compiled_operators_load(package: Path) -> bool:
    torch: Any = importlib.import_module("torch")  # torch.library carries no types
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
    _kept.append(library)


def non_maximum_suppression(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """Greedy NMS. boxes (N, 4) as x0, y0, x1, y1; scores (N,) -> rows kept, best score first."""
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
    """RoIAlign (He et al., ICCV 2017): features (N, C, H, W) of K regions, each (C, height, width).

    regions (K, 5) as number of the image, x0, y0, x1, y1 in its pixels, `scale` times which are cells; `samples` of
    them, at least 1, are averaged along each side of a bin. `aligned` puts the middle of the first cell at 0.5.
    """
    import torch

    found = features.new_empty(len(regions), features.shape[1], height, width)
    boxes = regions[:, 1:] * scale - (0.5 if aligned else 0)
    for image, layer in enumerate(features):
        for rows in torch.split(torch.nonzero(regions[:, 0] == image)[:, 0], _AT_ONCE):
            found[rows] = _align(layer, boxes[rows], (height, width), samples, 0 if aligned else 1)
    return found


_AT_ONCE = 128  # regions: all of a picture's would take a gigabyte


def _align(layer: Any, boxes: Any, bins: tuple[int, int], samples: int, least: int) -> Any:
    """layer (C, H, W); boxes (K, 4) in cells, taken to be at least `least` wide and high -> (K, C, *bins)."""
    import torch
    from torch.nn.functional import avg_pool2d, grid_sample

    axes = []
    for axis, count, length in ((0, bins[1], layer.shape[2]), (1, bins[0], layer.shape[1])):
        start, side = boxes[:, axis, None], (boxes[:, axis + 2] - boxes[:, axis]).clamp(min=least)[:, None]
        places = start + side * (torch.arange(count * samples) + 0.5) / (count * samples)
        axes.append(places / max(length - 1, 1) * 2 - 1)  # -1 is the middle of the first cell, 1 that of the last
    x, y = axes
    across = (-1, y.shape[1], x.shape[1])
    grid = torch.stack([x[:, None].expand(across), y[:, :, None].expand(across)], dim=-1)  # (K, h, w, 2)
    seen = grid_sample(layer[None], grid.flatten(0, 1)[None], padding_mode="border", align_corners=True)[0]
    return avg_pool2d(seen.reshape(len(layer), *grid.shape[:3]).transpose(0, 1), samples)
