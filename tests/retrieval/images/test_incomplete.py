"""A picture of which a part is missing is refused as incomplete, though its file has an end; whole ones never are."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from retrieval.errors import UnreadableImage
from retrieval.images.decode import decode_image, decode_picture

EOI = b"\xff\xd9"
VARIANTS = {
    "baseline": {},
    "optimised": {"optimize": True},
    "progressive": {"progressive": True},
    "full-colour": {"subsampling": 0},
    "restart-markers": {"restart_marker_blocks": 4},
    "progressive-restart-markers": {"progressive": True, "restart_marker_blocks": 4},
}


def encoded(picture: Pillow.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def photo(draw, mode: str = "RGB", width: int = 320, height: int = 240) -> Pillow.Image:
    """A drawing with noise, so that no part of it takes few bytes."""
    noise = np.random.default_rng(5).integers(-20, 21, (height, width, 3))
    return Pillow.fromarray(np.clip(draw(5, width, height) + noise, 0, 255).astype(np.uint8)).convert(mode)


def assert_incomplete(data: bytes, enough: int | None = None) -> None:
    with pytest.raises(UnreadableImage, match=r"^The picture is incomplete, .+\.$") as caught:
        decode_picture(data, enough=enough)
    assert caught.value.reason == "incomplete"
    assert decode_picture(data, enough=enough, incomplete=True).image.ndim == 3  # where that is wanted


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_r61_a_jpeg_cut_anywhere_and_closed_is_incomplete(draw, mode, variant):
    data = encoded(photo(draw, mode), "JPEG", **VARIANTS[variant])
    start = data.index(b"\xff\xda") + 16
    assert decode_image(data).shape == (240, 320, 3)
    for length in np.linspace(start, len(data) - 60, 9).astype(int):
        cut = data[:length].rstrip(b"\xff") + EOI
        with pytest.raises(UnreadableImage) as caught:
            decode_picture(cut, enough=None if length % 2 else 40)
        assert caught.value.reason in ("incomplete", "truncated")  # truncated: the end became part of a segment
        if caught.value.reason == "incomplete":
            assert decode_picture(cut, incomplete=True).image.shape == (240, 320, 3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_r61_a_jpeg_with_a_gap_or_zeros_inside_is_incomplete(draw, variant):
    data = encoded(photo(draw), "JPEG", quality=95, **VARIANTS[variant])
    start = data.rindex(b"\xff\xda") + 20
    middle = start + (len(data) - start) // 3
    assert_incomplete(data[:middle] + data[middle + 4096 :])
    assert_incomplete(data[:middle] + bytes(len(data) - middle - 2) + EOI)
    if "progressive" not in variant:  # its last scan refines what is there, by any bits
        assert_incomplete(data[:middle] + bytes(4096) + data[middle + 4096 :])


def test_r61_harmless_faults_do_not_hide_a_loss(draw):
    data = encoded(photo(draw), "JPEG", quality=95)
    scan = data.index(b"\xff\xda")
    parameters = scan + 4 + 1 + 2 * 3
    odd_scan = data[:parameters] + bytes(3) + data[parameters + 3 :]
    stray = data[:scan] + bytes(20) + data[scan:]
    for faulty in (odd_scan, stray):
        assert np.array_equal(decode_image(faulty), decode_image(data))
        assert_incomplete(faulty[: len(faulty) // 2].rstrip(b"\xff") + EOI)


def test_r61_a_progressive_jpeg_needs_all_of_its_scans(draw):
    data = encoded(photo(draw), "JPEG", progressive=True)
    scans = [place for place in range(len(data)) if data.startswith(b"\xff\xda", place)]
    assert len(scans) == 10
    for scan in scans[1:]:
        tables = data.rfind(b"\xff\xc4", 0, scan)  # those of the scan come before it
        end = tables if tables > scan - 300 else scan
        assert_incomplete(data[:end] + EOI)


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_r61_a_picture_that_ends_in_plain_grey_is_whole(draw, mode, options, grey):
    image = np.asarray(photo(draw)).copy()
    image[100:] = grey
    for size in ((320, 240), (317, 239), (9, 200)):
        picture = Pillow.fromarray(image).crop((0, 0, *size)).convert(mode)
        assert decode_image(encoded(picture, "JPEG", **options)).shape == (size[1], size[0], 3)


def test_r61_what_follows_the_end_of_a_jpeg_is_ignored(draw):
    picture = photo(draw)
    data = encoded(picture, "JPEG")
    whole = decode_image(data)
    assert np.array_equal(decode_image(data + bytes(5000)), whole)
    assert np.array_equal(decode_image(data[:-2]), whole)  # only the end marker is missing
    assert np.array_equal(decode_image(data[:-2] + bytes(40) + EOI), whole)  # padded by a camera
    several = encoded(picture, "MPO", save_all=True, append_images=[picture.rotate(90)])
    assert np.array_equal(decode_image(several), whole)
    assert np.array_equal(decode_image(several[: len(several) * 3 // 4]), whole)


@pytest.mark.parametrize("interlaced", [False, True])
def test_r61_a_gif_that_ends_early_or_has_a_gap_is_refused(draw, interlaced):
    data = bytearray(encoded(photo(draw, height=160).quantize(), "GIF", interlace=interlaced))
    assert decode_image(bytes(data)).shape == (160, 320, 3)
    middle = len(data) // 2
    with pytest.raises(UnreadableImage):
        decode_image(bytes(data[:middle] + data[middle + 4096 :]))
    frame = data.index(b",\0\0\0\0")
    data[8:10] = data[frame + 7 : frame + 9] = (240).to_bytes(2, "little")  # the height
    with pytest.raises(UnreadableImage) as caught:
        decode_image(bytes(data))
    assert caught.value.reason == "truncated"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(("mode", "kind"), [("RGB", 2), ("L", 0), ("P", 3), ("RGBA", 6)])
def test_r61_a_png_that_was_closed_early_is_incomplete(draw, mode, kind):
    picture = photo(draw).quantize() if mode == "P" else photo(draw, mode)
    rows = np.asarray(picture).reshape(240, -1)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 320, 240, 8, kind, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(picture.getpalette() or []))
    for height in (240, 238, 120):
        pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows[:height]))
        data = b"\x89PNG\r\n\x1a\n" + header + palette + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
        if height == 240:
            assert decode_image(data).shape == (240, 320, 3)
        else:
            assert_incomplete(data)


@pytest.mark.parametrize(("kind", "options"), [("WEBP", {"quality": 95}), ("AVIF", {"quality": 95})])
def test_r61_zeros_in_place_of_the_end_are_noticed(draw, kind, options):
    data = encoded(photo(draw), kind, **options)
    assert decode_image(data).shape == (240, 320, 3)
    assert_incomplete(data[:-6000] + bytes(6000))


def test_r61_zeros_in_the_first_frame_of_an_animation_are_noticed(draw):
    picture = photo(draw)
    data = encoded(picture, "WEBP", quality=95, save_all=True, append_images=[picture.rotate(90)])
    assert decode_image(data).shape == (240, 320, 3)
    second = data.index(b"ANMF", data.index(b"ANMF") + 4)
    assert_incomplete(data[: second - 6000] + bytes(6000) + data[second:])


@pytest.mark.parametrize("options", [{"lossless": True, "method": 0}, {"method": 0}, {"method": 4}], ids=str)
def test_r61_a_webp_with_a_plain_bottom_is_whole(options):
    rng = np.random.default_rng(3)
    for quality in (0, 50, 100):
        for rows in (1, 200):
            image = np.full((640, 640, 3), 7, np.uint8)
            image[:rows] = rng.integers(0, 256, (rows, 640, 3))
            whole = decode_image(encoded(Pillow.fromarray(image), "WEBP", quality=quality, **options))
            assert whole.shape == image.shape


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP"])
@pytest.mark.parametrize("grey", [0, 255])
def test_r61_plain_pictures_of_every_format_are_whole(kind, grey):
    for mode in ("L", "RGB") if kind != "TIFF" else ("L", "RGB", "1", "F", "I;16"):
        for size in ((8, 8), (65, 9), (300, 200)):
            assert decode_image(encoded(Pillow.new(mode, size, grey), kind)).shape == (size[1], size[0], 3)
