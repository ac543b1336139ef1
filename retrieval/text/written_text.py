"""Read what is written in an image: PP-OCRv6 small from the package rapidocr, on the CPU with OpenVINO."""

import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from retrieval.optional_packages import RAPIDOCR
from retrieval.types import Box, Image, WrittenLine

if TYPE_CHECKING:
    from rapidocr import RapidOCR

READER = "rapidocr PP-OCRv6 small, 640, upside down too"
"""Names networks and detection size. Text of another reader is read again."""
SIDE = 640
"""Longer side, in pixels, at which lines are looked for. Smaller images are not enlarged."""
QUERY_SIDE = 448
"""The same for a query crop, which shows one object."""
QUERY_LINES = 6
"""Lines of a query crop that are recognised, the largest ones. One batch of the network: a page takes no longer than a
label."""
WIDTH, QUERY_WIDTH = 320, 160
"""Pixels to which shorter lines of an image and of a query crop are filled up at least; narrower ones are quicker."""
MAX_SIDE = 2000
"""Longer side, in pixels, from which lines are cut out to be recognised. Larger images are scaled down to it."""
MIN_CONFIDENCE = 0.5
"""Lines that are recognised with less are dropped."""


class TextReader:
    """Reads the lines of images. It takes one thread and one image at a time; several readers work side by side.

    `side` is the longer side, in pixels, at which lines are looked for, and `most` limits their number to the largest.
    Lines are filled up to `width` pixels at least. Raises RuntimeMissing without rapidocr.
    """

    def __init__(self, side: int = SIDE, most: int | None = None, width: int = WIDTH) -> None:
        RAPIDOCR.check("Reading what is written in pictures")
        self._lock = threading.Lock()
        self._networks = _load_networks(side, most, width)

    @classmethod
    def of_queries(cls) -> Self:
        """A reader of query crops, which is quicker."""
        return cls(QUERY_SIDE, QUERY_LINES, QUERY_WIDTH)

    def read(self, image: Image) -> list[WrittenLine]:
        """The lines written in an image, from top to bottom, with upright boxes in its pixels."""
        with self._lock:
            found: Any = self._networks(np.ascontiguousarray(image[:, :, ::-1]))  # it takes BGR
        if found.boxes is None or found.txts is None or found.scores is None:
            return []
        whole = Box.whole(image)
        lines = zip(found.boxes, found.txts, found.scores, strict=True)
        return [WrittenLine(text, _around(corners, whole), float(score)) for corners, text, score in lines]


def _load_networks(side: int, most: int | None, width: int) -> "RapidOCR":
    """The networks inside the package. Their files are named, so that none is looked for elsewhere or fetched."""
    from rapidocr import EngineType, RapidOCR

    class LargestLines(RapidOCR):
        """Recognises only the largest lines."""

        def detect_and_crop(self, image: Image, steps: dict[str, Any]) -> tuple[list[Image], Any]:
            lines, found = super().detect_and_crop(image, steps)
            places = sorted(sorted(range(len(lines)), key=lambda place: -min(lines[place].shape[:2]))[:most])
            assert found.boxes is not None and found.scores is not None
            found.boxes, found.scores = found.boxes[places], [found.scores[place] for place in places]
            return [lines[place] for place in places], found

    spec = find_spec("rapidocr")
    assert spec is not None and spec.origin is not None
    models = Path(spec.origin).parent / "models"
    return LargestLines(
        params={
            "Global.log_level": "critical",  # an image without text is no warning
            "Global.max_side_len": MAX_SIDE,
            "Global.text_score": MIN_CONFIDENCE,
            "EngineConfig.openvino.inference_num_threads": 1,
            "EngineConfig.openvino.enable_cpu_pinning": False,  # see openvino_runtime
            "Det.engine_type": EngineType.OPENVINO,
            "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
            "Det.limit_type": "max",
            "Det.limit_side_len": side,
            "Cls.engine_type": EngineType.OPENVINO,  # turns lines that are upside down
            "Cls.model_path": str(models / "ch_ppocr_mobile_v2.0_cls_mobile.onnx"),
            "Rec.engine_type": EngineType.OPENVINO,
            "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
            "Rec.rec_img_shape": [3, 48, width],
        }
    )


def _around(corners: np.ndarray, whole: Box) -> Box:
    """The box round the four corners (4, 2) of a line, at least one pixel, inside the image."""
    x0, y0 = np.floor(corners.min(axis=0)).astype(int).tolist()
    x1, y1 = np.ceil(corners.max(axis=0)).astype(int).tolist()
    x0, y0 = min(max(x0, 0), whole.x1 - 1), min(max(y0, 0), whole.y1 - 1)
    return Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)).clipped(whole.x1, whole.y1)
