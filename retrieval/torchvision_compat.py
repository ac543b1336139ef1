"""Makes torchvision usable beside a torch it was not compiled for.

The registry's torchvision is a CUDA build. Beside a CPU-only torch its compiled operators cannot be loaded, and its
import then fails with "operator torchvision::nms does not exist" (pytorch/vision issues 9077 and 8985). Where the
operators load, nothing is changed. Where they do not, the two schemas the import asks for are registered, and NMS
gets a PyTorch implementation so that detection models run too.
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
