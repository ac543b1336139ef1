"""Turn decoded frames into upright RGB images with square pixels, and into samples to compare."""

from fractions import Fraction
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from retrieval.images.resize import resize_image
from retrieval.images.shots import SMALL, Sample
from retrieval.types import Image

HD = 720
"""Lines of a frame from which colours are those of HDTV if the video does not say."""
MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
"""Colour matrices by their number in ISO/IEC 23091-2; the others are those of standard television."""
UNSPECIFIED = 2
HDR = {ColorTrc.SMPTE2084.value, ColorTrc.ARIB_STD_B67.value}
ROWS = 16
"""Every ROWS-th row is looked at for sharpness."""
ASPECT = 4
"""Pixels that are said to be more oblong than this are square."""
EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def shown_size(frame: VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height at which a frame is shown, upright; `aspect` is width to height of a pixel."""
    width, height = frame.width, frame.height
    if aspect and 1 / ASPECT <= aspect <= ASPECT:
        width, height = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return (height, width) if _turns(frame)[0] else (width, height)


def upright_image(frame: VideoFrame, size: tuple[int, int], enough: int | None = None) -> Image:
    """The pixels of a frame (H, W, 3), read-only, at the size at which it is shown.

    If a longest side of `enough` pixels suffices, a larger frame is scaled down to it.
    """
    scale = min(enough / max(size), 1.0) if enough else 1.0
    width, height = (max(round(side * scale), 1) for side in size)
    sideways, mirrored, upside_down = _turns(frame)
    rgb = _to_rgb(frame)
    if frame.interlaced_frame:
        rgb = rgb[::2]  # one field: the other shows another moment
    rgb = resize_image(rgb, *((height, width) if sideways else (width, height)))
    if sideways:
        rgb = rgb.swapaxes(0, 1)
    upright = np.ascontiguousarray(rgb[:: -1 if upside_down else 1, :: -1 if mirrored else 1])
    upright.setflags(write=False)
    return upright


class Sampler:
    """Makes samples of frames."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()  # keeps its tables from frame to frame

    def sample(self, frame: VideoFrame, seconds: float) -> Sample[VideoFrame]:
        reformatted = self._reformatter.reformat(
            frame, *SMALL, format="rgb24", interpolation=Interpolation.FAST_BILINEAR, threads=1, **_colours(frame)
        )
        small = np.asarray(reformatted.to_ndarray(), np.uint8)
        return Sample(seconds, frame, small, _sharpness(frame, small))


def _sharpness(frame: VideoFrame, small: Image) -> float:
    """Mean difference of neighbouring grey values of some rows, 0 to 255; of the small copy for unusual formats."""
    layout = frame.format
    if not layout.is_planar or layout.is_rgb or layout.is_big_endian:
        rows = small[..., 1].astype(np.int32)
        return float(np.abs(np.diff(rows, axis=1)).mean())
    bits = layout.components[0].bits
    kind = np.uint8 if bits == 8 else np.uint16
    plane = frame.planes[0]
    lines = np.frombuffer(memoryview(plane), kind).reshape(-1, plane.line_size // np.dtype(kind).itemsize)
    rows = lines[ROWS // 2 : frame.height : ROWS, : frame.width].astype(np.int32)
    return float(np.abs(np.diff(rows, axis=1)).mean()) / 2 ** (bits - 8) if rows.size else 0.0


def _turns(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """How the stored frame becomes upright: swap rows and columns, then mirror, then turn upside down."""
    extra: Any = frame.side_data  # its type hints say that it holds names
    matrix = next((bytes(data) for data in extra if data.type is Type.DISPLAYMATRIX), None)
    if matrix is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0


def _colours(frame: VideoFrame) -> dict[str, Any]:
    """How a frame stores colours, for the reformatter."""
    stored = frame.colorspace
    if stored == UNSPECIFIED:
        matrix = Colorspace.ITU709 if frame.height >= HD else Colorspace.ITU601
    else:
        matrix = MATRICES.get(stored, Colorspace.ITU601)
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return {
        "src_colorspace": matrix,
        "src_color_range": ColorRange.JPEG if full else ColorRange.MPEG,
        "dst_color_range": ColorRange.JPEG,
    }


def _to_rgb(frame: VideoFrame) -> Image:
    to_sdr = {}
    if frame.color_trc in HDR:
        to_sdr = {"dst_color_trc": ColorTrc.IEC61966_2_1, "dst_color_primaries": ColorPrimaries.BT709}
    converted = frame.reformat(format="rgb24", interpolation=EXACT, threads=1, **_colours(frame), **to_sdr)
    return np.asarray(converted.to_ndarray(), np.uint8)
