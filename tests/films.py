"""Make short films of drawn pictures for tests."""

import io
from collections.abc import Sequence

import numpy as np
import pytest

from retrieval.types import Image

RATE = 10


def film(scenes: Sequence[Image], seconds: float = 1.5, kind: str = "mp4", codec: str = "libx264") -> bytes:
    """A film that shows each scene for some seconds, moving a little. Skips the test without the package av."""
    av = pytest.importorskip("av", reason='av is not installed: pip install -e ".[video]"')
    out = io.BytesIO()
    height, width = scenes[0].shape[:2]
    with av.open(out, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for scene in scenes:
            for number in range(round(seconds * RATE)):
                moved = np.roll(scene, number // 4, axis=1)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(moved), format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()
