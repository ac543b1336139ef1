"""Files that hide much work in few bytes are refused before they are opened; ordinary ones never are."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image as Pillow

from retrieval.errors import UnreadableImage
from retrieval.images import decode as images
from retrieval.images.decode import decode_picture
from retrieval.images.structure import check_structure

SMALL = Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))


def encoded(kind: str, picture: Pillow.Image = SMALL, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def jpeg(before: bytes = b"", scans: int = 0, size: tuple[int, int] = (32, 32)) -> bytes:
    """A progressive JPEG with further segments at its start and its last scan repeated."""
    data = encoded("JPEG", progressive=True)
    data = data.replace(struct.pack(">HH", 32, 32), struct.pack(">HH", *size), 1)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:2] + before + data[2:-2] + last * scans + data[-2:]


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(before: bytes = b"", after: bytes = b"") -> bytes:
    data = encoded("PNG")
    start = data.index(b"IDAT") - 4
    return data[:start] + before + data[start:-12] + after + data[-12:]


def gif(before: bytes) -> bytes:
    data = encoded("GIF")
    start = data.index(b",\0\0\0\0")  # of the first frame
    return data[:start] + before + data[start:]


def webp(count: int) -> bytes:
    body = encoded("WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")[12:] + b"JUNK\0\0\0\0" * count
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def tiff(tags: dict[int, tuple[int, ...]], body: bytes = bytes(32 * 32), order: str = "<") -> bytes:
    """A grey TIFF of 32 x 32 with one strip at byte 8; `tags` change or add tags of type LONG."""
    usual = {256: (32,), 257: (32,), 258: (8,), 259: (1,), 262: (1,), 273: (8,), 277: (1,), 278: (32,), 279: (1024,)}
    tags = dict(sorted((usual | tags).items()))
    far = 8 + len(body) + 2 + 12 * len(tags) + 4
    table, lists = struct.pack(order + "H", len(tags)), b""
    for code, values in tags.items():
        value = values[0] if len(values) == 1 else far + len(lists)
        lists += b"" if len(values) == 1 else struct.pack(f"{order}{len(values)}I", *values)
        table += struct.pack(order + "HHII", code, 4, len(values), value)
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(body))
    return start + body + table + bytes(4) + lists


def big_tiff(tags: int) -> bytes:
    return struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, tags) + bytes(20 * tags)


def run_length_bmp(size: int) -> bytes:
    header = bytearray(encoded("BMP", SMALL.quantize())[:1078])
    struct.pack_into("<I", header, 30, 1)
    return bytes(header) + b"\x01\x07" * (size // 2)


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def avif(*meta: bytes, moov: bytes = b"") -> bytes:
    start = box(b"ftyp", b"avif\0\0\0\0avifmif1")
    return start + box(b"meta", bytes(4) + b"".join(meta)) + (box(b"moov", moov) if moov else b"")


BOMBS: dict[str, Callable[[], bytes]] = {
    "jpeg-scans": lambda: jpeg(scans=130),
    "jpeg-scans-of-many-pixels": lambda: jpeg(scans=20, size=(10_000, 9990)),
    "jpeg-segments": lambda: jpeg(b"\xff\xfe\0\2" * 5001),
    "jpeg-segments-between-scans": lambda: jpeg()[:-2] + b"\xff\xdb\0\2" * 5001 + b"\xff\xd9",
    "jpeg-exif": lambda: jpeg(b"\xff\xe1\0\x08Exif\0\0" * 65),
    "jpeg-fill": lambda: jpeg(b"\xff" * 70_000),
    "jpeg-junk": lambda: jpeg(bytes(70_000)),
    "png-chunks": lambda: png(chunk(b"prVt") * 100_001),
    "png-chunks-at-the-end": lambda: png(after=chunk(b"teSt") * 100_001),
    "png-empty-data": lambda: png(chunk(b"IDAT") * 100_001),
    "png-texts": lambda: png(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1000))) * 101),
    "png-profiles": lambda: png(chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(1000))) * 101),
    "gif-blocks": lambda: gif(b"\x21\xfe\0" * 100_001),
    "gif-sub-blocks": lambda: gif(b"\x21\xfe" + b"\x01a" * 200_001 + b"\0"),
    "gif-junk": lambda: gif(b"\0" * 100_001),
    "webp-chunks": lambda: webp(100_000),
    "bmp-runs": lambda: run_length_bmp(8_000_000),
    "tiff-tags": lambda: tiff({40_000 + n: (0,) for n in range(4097)}),
    "tiff-tags-of-a-big-tiff": lambda: big_tiff(5000),
    "tiff-long-tags": lambda: tiff({40_000 + n: (0,) * 2000 for n in range(3)})[:-20_000],
    "tiff-strips": lambda: tiff({273: (8,) * 40, 279: (1024,) * 40}),
    "tiff-strips-big-endian": lambda: tiff({273: (8,) * 40, 279: (1024,) * 40}, order=">"),
    "tiff-tiles": lambda: tiff({322: (16,), 323: (16,), 324: (8,) * 9, 325: (256,) * 9}),
    "tiff-rows": lambda: tiff({257: (100_001,), 278: (1,)}),
    "tiff-scans": lambda: tiff({256: (10_000,), 257: (9990,), 259: (7,)}, b"\xff\xda" * 512),
    "avif-items": lambda: avif(box(b"iinf", bytes(4) + struct.pack(">H", 12_000) + bytes(22 * 12_000))),
    "avif-properties": lambda: avif(box(b"iprp", box(b"ipco", box(b"free", b"") * 25_001))),
    "avif-frames": lambda: avif(moov=bytes(1_100_000)),
    "avif-items-in-pieces": lambda: avif(*[box(b"iinf", bytes(100_000))] * 3),
    "avif-boxes": lambda: avif() + box(b"free", b"") * 25_001,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_r57_much_work_in_few_bytes_is_refused_before_it_is_opened(bomb, monkeypatch):
    data = BOMBS[bomb]()
    monkeypatch.setattr(images.Pillow, "open", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(UnreadableImage, match=r"^bomb has too many .+; open it in an image editor .+\.$") as caught:
        decode_picture(data, "bomb")
    assert caught.value.reason == "too_complex"


@pytest.mark.parametrize("bomb", BOMBS)
def test_r57_bytes_after_the_end_change_nothing(bomb):
    data = BOMBS[bomb]()
    for end in (*(bytes(count) for count in range(1, 17)), b"\0\0\0\1free", box(b"meta", bytes(4))):
        with pytest.raises(UnreadableImage) as caught:
            check_structure(data + end, "bomb")
        assert caught.value.reason == "too_complex"


@pytest.mark.parametrize("extra", [(279, 4, 1, 8), (325, 4, 0, 0), (284, 4, 0, 0), (322, 4, 2, 2**31)])
def test_r57_odd_tags_do_not_hide_the_scans_of_a_tiff(extra):
    data = BOMBS["tiff-scans"]()
    start = int.from_bytes(data[4:8], "little")
    (count,) = struct.unpack_from("<H", data, start)
    end = start + 2 + 12 * count
    changed = data[:start] + struct.pack("<H", count + 1) + data[start + 2 : end] + struct.pack("<HHII", *extra)
    with pytest.raises(UnreadableImage, match="too many"):
        check_structure(changed + data[end:], "bomb")


def test_r57_a_single_strip_without_a_size_reaches_to_the_end():
    bomb = BOMBS["tiff-scans"]()
    with pytest.raises(UnreadableImage, match="too many"):
        check_structure(bomb.replace(struct.pack("<HHI", 279, 4, 1), struct.pack("<HHI", 281, 4, 1)), "bomb")


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_r57_zeros_after_the_end_are_no_chunks(kind):
    assert decode_picture(encoded(kind) + bytes(1_500_000)).size == SMALL.size


LARGE_BUT_ORDINARY: dict[str, Callable[[], bytes]] = {
    "jpeg-scans": lambda: jpeg(scans=100),
    "jpeg-scans-of-many-pixels": lambda: jpeg(scans=10, size=(10_000, 9990)),
    "jpeg-long-metadata": lambda: jpeg(b"\xff\xe1\0\x0chttp://ns" * 800),
    "png-frames": lambda: png(chunk(b"acTL", struct.pack(">II", 10_000, 0)), chunk(b"fcTL", bytes(26)) * 20_000),
    "png-small-data-chunks": lambda: png(after=chunk(b"IDAT", bytes(256)) * 20_000),
    "gif-comment": lambda: gif(b"\x21\xfe" + (b"\xff" + b"a" * 255) * 4000 + b"\0"),
    "webp-frames": lambda: webp(20_000),
    "tiff-strips-of-a-row": lambda: tiff({273: (8,) * 32, 278: (1,), 279: (32,) * 32}),
    "avif-grid": lambda: avif(box(b"iinf", bytes(6 + 22 * 1000)), box(b"iloc", bytes(16 * 1000))),
    "avif-frames": lambda: avif(moov=bytes(300_000)),
}


@pytest.mark.parametrize("kind", LARGE_BUT_ORDINARY)
def test_r57_many_frames_scans_or_tiles_are_no_bomb(kind):
    check_structure(LARGE_BUT_ORDINARY[kind](), "large")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_r57_a_cut_or_damaged_structure_is_left_to_the_decoder(kind):
    data = np.frombuffer(encoded(kind), np.uint8)
    rng = np.random.default_rng(1)
    for length in range(0, min(len(data), 600)):
        check_structure(data[:length].tobytes(), "cut")
    for _ in range(300):
        mutant = data.copy()
        places = rng.integers(0, min(len(data), 400), 8)
        mutant[places] = rng.integers(0, 256, len(places))
        try:
            check_structure(mutant.tobytes(), "mutant")
        except UnreadableImage as error:
            assert error.reason == "too_complex"
