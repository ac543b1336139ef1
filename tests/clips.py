"""Small videos for tests, encoded with PyAV."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from retrieval.types import Image

av = pytest.importorskip("av", reason='av is not installed: pip install -e ".[video]"')

SIZE = 160, 90
"""Width and height."""


def scene(seed: int, size: tuple[int, int] = SIZE) -> Image:
    """A picture of coloured squares; each seed gives another one."""
    squares = np.random.default_rng(seed).integers(0, 256, (5, 8, 3), np.uint8)
    rows, columns = (np.arange(side) * count // side for side, count in zip(size[::-1], (5, 8), strict=True))
    return squares[rows][:, columns]


def shots(*seeds: int, frames: int = 20) -> list[Image]:
    """The frames of shots that show a scene each."""
    return [scene(seed) for seed in seeds for _ in range(frames)]


def write_clip(
    path: Path,
    frames: Iterable[Image],
    rate: int = 10,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    matrix: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    sound: bool = False,
    metadata: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    **options: str,
) -> Path:
    """Encode frames; `times` are in milliseconds, `matrix` is the display matrix. Deterministic."""
    frames = list(frames)
    with av.open(str(path), "w", options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, options={"threads": "1", **options})
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], pixels
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if matrix is not None:
            stream.set_display_matrix(matrix)
        if sound:
            add_sound(container, len(frames) / rate)
        for place, pixels_of in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels_of), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[place], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def add_sound(container: "av.container.OutputContainer", seconds: float) -> None:
    """Write silence of this length."""
    stream = container.add_stream("aac", rate=16000, layout="mono")
    for start in range(0, int(seconds * 16000), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
