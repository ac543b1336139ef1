"""Read the segments of a JPEG without decoding it: its scans, and whether they cover the whole picture."""

import re
import struct
from collections import defaultdict
from dataclasses import dataclass, field

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SEQUENTIAL = (0xC0, 0xC1, 0xC9)
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
SEGMENTS = 5_000
"""Most segments of a file. Long metadata come in pieces of 64 kB, of which 800 fit into a file."""
FILL = 65_536
"""Most bytes between the segments before the first scan."""
WHOLE_BLOCKS = bytes((0, 63, 0))
"""First and last coefficient and the bits of every scan of a sequential JPEG."""
EXIF = b"Exif\0\0"
MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan header: component ids, first and last coefficient, and the bits that are still missing after it."""

    components: tuple[int, ...]
    first: int
    last: int
    missing_bits: int


@dataclass(slots=True)
class JpegLayout:
    """What the segments of a JPEG say, up to its end marker; a second picture after that (MPO) is ignored."""

    width: int = 0
    height: int = 0
    progressive: bool = False
    components: tuple[int, ...] = ()
    scans: list[Scan] = field(default_factory=list)
    segments: int = 0
    exif_segments: int = 0
    fill: int = 0
    """Bytes between the segments before the first scan."""
    ended: bool = False
    sequential: bool = False
    faults: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Harmless faults: their start and end in the file, and the bytes that correct them."""

    @property
    def is_whole(self) -> bool:
        """Whether the scans hold every coefficient of every component to the last bit."""
        covered: dict[int, set[int]] = defaultdict(set)
        for scan in self.scans:
            if not self.progressive:
                scan = Scan(scan.components, 0, 63, 0)
            for component in scan.components:
                if not scan.missing_bits:
                    covered[component].update(range(scan.first, scan.last + 1))
        return all(len(covered[component]) == 64 for component in self.components)

    def corrected(self, data: bytes) -> bytes:
        """The file without its harmless faults: the decoder reports one fault only, which must not be one of these."""
        parts: list[bytes] = []
        place = 0
        for start, end, correction in self.faults:
            parts += data[place:start], correction
            place = end
        return b"".join([*parts, data[place:]]) if parts else data


def read_layout(data: bytes) -> JpegLayout:
    """Walk the segments of a JPEG file up to its end marker; stop early where there are too many of them."""
    layout = JpegLayout()
    place = len(SOI)
    while layout.segments <= SEGMENTS and layout.fill <= FILL:
        found = MARKER.search(data, place, len(data) if layout.scans else place + FILL + 2)
        if not layout.scans:
            layout.fill += (found.start() if found else len(data)) - place
        if found is None:
            break
        if not layout.scans and found.start() > place:
            layout.faults.append((place, found.start(), b""))
        marker, place = data[found.start() + 1], found.end()
        if marker == EOI[1]:
            layout.ended = True
            break
        body = _body(data, place)
        layout.segments += 1
        place += 2 + len(body)
        if marker in START_OF_FRAME and not layout.components:
            _read_frame(layout, marker, body)
        elif marker == 0xE1 and body.startswith(EXIF):
            layout.exif_segments += 1
        elif marker == 0xDA:
            layout.scans.append(_scan(body))
            if layout.sequential and body[-3:] != WHOLE_BLOCKS:
                layout.faults.append((place - 3, place, WHOLE_BLOCKS))
    return layout


def _body(data: bytes, place: int) -> bytes:
    length = int.from_bytes(data[place : place + 2], "big")
    return data[place + 2 : place + max(length, 2)]


def _read_frame(layout: JpegLayout, marker: int, body: bytes) -> None:
    if len(body) >= 6:
        _, layout.height, layout.width, count = struct.unpack_from(">BHHB", body)
        layout.components = tuple(body[6 : 6 + 3 * count : 3])
        layout.progressive, layout.sequential = marker in PROGRESSIVE, marker in SEQUENTIAL


def _scan(body: bytes) -> Scan:
    count = body[0] if body else 0
    first, last, bits = (*body[1 + 2 * count : 4 + 2 * count], 0, 0, 0)[:3]
    return Scan(tuple(body[1 : 1 + 2 * count : 2]), first, min(last, 63), bits & 15)
