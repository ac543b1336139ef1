"""Open JPEG XL with libjxl. Its package decodes a file at once, so the size is read from the first bytes before."""

from retrieval.images.chunks import iso_boxes
from retrieval.images.file_kinds import JPEG_XL

JPEG_XL_FORMATS = (JPEG_XL,)
CODESTREAM = b"\xff\x0a"
SIZE_BITS = (9, 13, 18, 30)
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, by the codes 1 to 7."""


def prepare_jpeg_xl() -> tuple[str, ...]:
    """Let Pillow open JPEG XL; the names of its formats. The package is imported only when it is needed."""
    from pillow_jxl import JpegXLImagePlugin

    JpegXLImagePlugin.DECODE_THREADS = 0  # several pictures are decoded at once
    return ("JXL",)


def jpeg_xl_size(data: bytes) -> tuple[int, int]:
    """(width, height) of a JPEG XL file (ISO/IEC 18181-1, SizeHeader). Raises ValueError if it is damaged."""
    start = _codestream(data)
    if not start.startswith(CODESTREAM):
        raise ValueError("not a JPEG XL codestream")
    bits = _Bits(start[2:])
    small = bits.read(1)

    def length() -> int:
        return 8 * (bits.read(5) + 1) if small else bits.read(SIZE_BITS[bits.read(2)]) + 1

    height = length()
    ratio = bits.read(3)
    if not ratio:
        return length(), height
    across, down = RATIOS[ratio - 1]
    return height * across // down, height


def _codestream(data: bytes) -> bytes:
    """The first bytes of the codestream, which may be inside a container."""
    if data.startswith(CODESTREAM):
        return data[:32]
    for kind, start, _ in iso_boxes(data, 0, len(data)):
        if kind == b"jxlc":
            return data[start : start + 32]
        if kind == b"jxlp":  # a part, after its number
            return data[start + 4 : start + 36]
    return b""


class _Bits:
    """Reads numbers from the lowest bit on."""

    def __init__(self, data: bytes) -> None:
        self._number, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def read(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the file ends too early")
        value = self._number & ((1 << count) - 1)
        self._number, self._left = self._number >> count, self._left - count
        return value
