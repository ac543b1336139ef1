"""Deep pictures and described colour spaces look like their 8-bit sRGB twin."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from retrieval.errors import UnreadableImage
from retrieval.images.decode import decode_image


def encoded(picture: Pillow.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def tiff(values: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, **{"photometric": "minisblack", **options})
    return out.getvalue()


@pytest.fixture
def grey(draw) -> np.ndarray:
    """A picture (96, 128) with all greys from 0 to 255."""
    image = draw(4)[:, :, 0].copy()
    image[:2] = np.arange(256).reshape(2, 128)
    return image


def difference(data: bytes, grey: np.ndarray) -> int:
    return int(np.abs(decode_image(data).astype(int) - grey[:, :, None]).max())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize(
    "values",
    [
        lambda grey: grey.astype(np.uint16) * 257,
        lambda grey: grey.astype(np.uint32) * 0x01010101,
        lambda grey: (grey.astype(np.int16) - 128) * 128,
        lambda grey: grey.astype(np.float32) / 255,
    ],
    ids=["uint16", "uint32", "int16", "float"],
)
def test_r66_black_or_white_may_be_zero(grey, values, photometric, order):
    data = tiff(values(grey), photometric=photometric, byteorder=order)
    assert difference(data, grey if photometric == "minisblack" else 255 - grey) <= 1


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("alpha", [False, True])
def test_r66_colours_of_10_12_or_14_bits_are_not_dark(draw, alpha, compression, bits):
    image = draw(4).copy()
    image[0, 0] = 255
    values = np.rint(image * ((2**bits - 1) / 255)).astype(np.uint16)
    extra = {}
    if alpha:
        values = np.dstack([values, np.full(values.shape[:2], 2**bits - 1, np.uint16)])
        extra = {"extrasamples": ["unassalpha"]}
    data = tiff(values, photometric="rgb", compression=compression, **extra)
    assert np.abs(decode_image(data).astype(int) - image).max() <= 1


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_r66_10_12_or_14_bits_in_16_are_not_dark(grey, bits):
    values = np.rint(grey * ((2**bits - 1) / 255)).astype(np.uint16)
    assert difference(encoded(Pillow.fromarray(values), "TIFF"), grey) <= 1


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_r66_dark_pictures_stay_dark(draw, png, kind, channels):
    """A PNG uses all bits by its specification; a TIFF does if its samples are expanded ones of 8 bits."""
    image = draw(4) // 5 if channels > 1 else draw(4)[:, :, :1] // 5
    values = image.astype(np.uint16) * 257
    if channels == 4:
        values = np.dstack([values, np.full(values.shape[:2], 65535, np.uint16)])
    if kind == "PNG":
        values |= 1  # low bits in use
        colours = {1: 0, 3: 2, 4: 6}[channels]
        data = png(128, 96, 16, colours, (b"\0" + row.astype(">u2").tobytes() for row in values))
    else:
        kinds = {1: {}, 3: {"photometric": "rgb"}, 4: {"photometric": "rgb", "extrasamples": ["unassalpha"]}}
        data = tiff(values[:, :, 0] if channels == 1 else values, **kinds[channels])
    assert np.abs(decode_image(data).astype(int) - image).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_r66_saturated_pixels_are_no_outliers(kind):
    sky = np.random.default_rng(2).integers(500, 4000, (96, 128)).astype(np.uint16)
    sky.reshape(-1)[::50] = 65535
    assert difference(encoded(Pillow.fromarray(sky), kind), np.rint(sky / 257).astype(int)) <= 1


@pytest.mark.parametrize("tile", [None, (32, 32)])
@pytest.mark.parametrize("channels", [3, 4])
def test_r66_deep_colours_in_separate_planes_are_right_or_refused(draw, channels, tile):
    image = draw(4)
    planes = np.moveaxis(np.dstack([image, np.full((96, 128), 255, np.uint8)])[..., :channels], -1, 0)
    options = {"photometric": "rgb", "planarconfig": "separate", "tile": tile}
    options |= {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    with pytest.raises(UnreadableImage, match="unsupported TIFF") as caught:
        decode_image(tiff(planes.astype(np.uint16) * 257, **options))
    assert caught.value.reason == "unknown_tiff"
    assert np.array_equal(decode_image(tiff(planes, **options)), image)
    compressed = decode_image(tiff(planes.astype(np.uint16) * 257, compression="zlib", **options))
    assert np.abs(compressed.astype(int) - image).max() <= 1


def test_r66_a_dark_bmp_of_16_bits_a_pixel_is_read():
    header = struct.pack(
        "<2sIIIIiiHHIIIIIIIII", b"BM", 0, 0, 66, 40, 16, 16, 1, 16, 3, 512, 0, 0, 0, 0, 0xF800, 0x07E0, 31
    )
    assert np.all(decode_image(header + struct.pack("<H", 0x0841) * 256) == (8, 8, 8))


def test_r66_the_significant_bits_of_a_tiff_count(grey):
    dark = grey.astype(np.uint16) // 2 * 16  # no value needs more than 11 bits
    most = [(281, 3, 1, 4095, True)]
    assert difference(tiff(dark, extratags=most), grey // 2) <= 1


@pytest.mark.parametrize(
    "values",
    [
        lambda grey: grey.astype(np.uint32) * 0x01010101,
        lambda grey: (grey.astype(np.int16) - 128) * 128,
        lambda grey: (grey.astype(np.int32) - 128) * 2**20,
        lambda grey: grey.astype(np.uint32) * 2**16,
        lambda grey: grey.astype(np.uint32) * 16,
        lambda grey: grey.astype(np.float32) / 2550,
    ],
    ids=["uint32", "int16", "int32", "24-bit", "12-in-32", "dark-float"],
)
def test_r66_other_integers_and_floats_look_like_their_8_bit_twin(grey, values, request):
    expected = grey // 10 if "dark" in request.node.callspec.id else grey
    assert difference(tiff(values(grey)), expected) <= 2


@pytest.mark.parametrize("outlier", [-9999, 1e6, -3.4e38, np.nan, np.inf])
@pytest.mark.parametrize("count", [1, 2000])
def test_r66_outliers_of_a_float_picture_do_not_count(grey, outlier, count):
    values = grey.astype(np.float32) / 255
    values.reshape(-1)[-count:] = outlier
    back = decode_image(tiff(values)).reshape(-1, 3)[:-count]
    assert np.abs(back.astype(int) - grey.reshape(-1, 1)[:-count]).max() <= 1


def test_r66_a_few_wrong_values_of_an_integer_picture_do_not_count(grey):
    values = np.rint(grey * (4095 / 255)).astype(np.uint16)
    values[-1, -1] = 65535
    assert np.abs(decode_image(tiff(values))[:-1].astype(int) - grey[:-1, :, None]).max() <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint16])
def test_r66_pixels_without_data_are_grey(grey, dtype):
    values = np.maximum(grey, 1).astype(dtype) * 16
    values[40:, 64:] = 0
    back = decode_image(tiff(values, extratags=[(42113, 2, 0, "0", True)])).astype(int)
    assert np.all(back[40:, 64:] == 128)
    assert np.abs(back[:40] - grey[:40, :, None]).max() <= 2


def test_r66_black_and_white_stay_black_and_white():
    mask = np.zeros((40, 60), np.uint16)
    mask[10:20] = 65535
    back = decode_image(encoded(Pillow.fromarray(mask), "TIFF"))
    assert back.min() == 0 and np.all(back[10:20] == 255)
    assert np.all(decode_image(encoded(Pillow.new("F", (20, 20), 0.5), "TIFF")) == 128)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(picture: Pillow.Image, *chunks: bytes) -> bytes:
    data = encoded(picture)
    start = data.index(b"IDAT") - 4
    return data[:start] + b"".join(chunks) + data[start:]


def cicp(primaries: int, transfer: int) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, 0, 1]))


def colours(*rgb: tuple[float, float, float]) -> Pillow.Image:
    return Pillow.fromarray(np.repeat(np.rint(rgb).astype(np.uint8)[None], 8, axis=0).repeat(8, axis=1))


def shown(data: bytes) -> list[list[int]]:
    return decode_image(data)[0, ::8].tolist()


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def linear_srgb_profile() -> bytes:
    """The sRGB profile under its own name, with a straight line in place of its curve."""
    profile = bytearray(srgb_profile())
    count = struct.unpack_from(">I", profile, 128)[0]
    for entry in range(132, 132 + 12 * count, 12):
        tag, place, _ = struct.unpack_from(">4sII", profile, entry)
        if tag in (b"rTRC", b"gTRC", b"bTRC"):
            profile[place : place + 12] = b"curv" + bytes(8)  # no points: the identity
            struct.pack_into(">I", profile, entry + 8, 12)
    return bytes(profile)


def test_r66_a_linear_profile_called_srgb_is_applied():
    grey = colours((55, 55, 55), (128, 128, 128), (0, 0, 0), (255, 255, 255))
    assert b"s\0R\0G\0B" in linear_srgb_profile()
    expected = [[128] * 3, [188] * 3, [0] * 3, [255] * 3]
    assert np.abs(np.subtract(shown(encoded(grey, icc_profile=linear_srgb_profile())), expected)).max() <= 2


def test_r66_a_profile_that_changes_nothing_is_not_applied(draw):
    image = draw(3)
    renamed = srgb_profile().replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    assert np.array_equal(decode_image(encoded(Pillow.fromarray(image), icc_profile=renamed)), image)


def test_r66_profiles_are_not_kept_and_huge_ones_are_ignored(draw):
    image = draw(3)
    tracemalloc.start()
    for count in range(4):
        profile = linear_srgb_profile() + bytes(1_000_000 + count)
        decode_image(encoded(Pillow.fromarray(image), "WEBP", icc_profile=profile, lossless=True))
        del profile
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2_000_000
    huge = encoded(Pillow.fromarray(image), "WEBP", icc_profile=linear_srgb_profile() + bytes(4_000_000), lossless=True)
    assert np.array_equal(decode_image(huge), image)


def pq(luminance: float) -> float:
    """The signal (0 to 255) of SMPTE ST 2084 for cd/m²."""
    power = (luminance / 10_000) ** (1305 / 8192)
    return float(255 * ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32))


@pytest.mark.parametrize(
    ("code", "picture", "expected"),
    [
        ((1, 13), (200, 30, 90), (200, 30, 90)),
        ((12, 13), (234, 51, 35), (255, 0, 0)),  # the red of sRGB in Display P3
        ((9, 14), (128, 128, 128), (128, 128, 128)),
        ((1, 8), (55, 55, 55), (128, 128, 128)),
        ((9, 16), (pq(203),) * 3, (255, 255, 255)),
        ((9, 16), (pq(203 * 0.2159),) * 3, (128, 128, 128)),
        ((9, 16), (pq(2000),) * 3, (255, 255, 255)),
        ((9, 18), (0.75 * 255,) * 3, (255, 255, 255)),
        ((250, 13), (200, 30, 90), (200, 30, 90)),
    ],
    ids=["sRGB", "P3", "BT.2020", "linear", "PQ-white", "PQ-grey", "PQ-highlight", "HLG-white", "unknown"],
)
def test_r66_the_colour_code_of_a_png_is_followed(code, picture, expected):
    assert np.abs(np.subtract(shown(with_chunks(colours(picture), cicp(*code)))[0], expected)).max() <= 5


def test_r66_the_colour_code_goes_before_a_profile():
    swapped = srgb_profile().replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")
    profile = chunk(b"iCCP", b"k\0\0" + zlib.compress(swapped))
    assert shown(with_chunks(colours((255, 0, 0)), cicp(1, 13), profile)) == [[255, 0, 0]]


def test_r66_the_gamma_of_a_png_is_followed():
    grey = colours((55, 55, 55))
    assert np.abs(np.subtract(shown(with_chunks(grey, chunk(b"gAMA", struct.pack(">I", 100_000)))), 128)).max() <= 2
    assert shown(with_chunks(grey, chunk(b"gAMA", struct.pack(">I", 45_455)))) == [[55, 55, 55]]
    assert shown(with_chunks(grey, chunk(b"gAMA", bytes(4)), chunk(b"cHRM", bytes(32)))) == [[55, 55, 55]]
    srgb = chunk(b"sRGB", b"\0")
    assert shown(with_chunks(grey, srgb, chunk(b"gAMA", struct.pack(">I", 100_000)))) == [[55, 55, 55]]


def test_r66_the_colour_code_of_an_avif_is_followed():
    data = encoded(colours((55, 55, 55)), "AVIF", quality=100)
    code = data.index(b"colrnclx") + 8
    linear = data[:code] + struct.pack(">HH", 1, 8) + data[code + 4 :]
    assert np.abs(np.subtract(shown(linear), 128)).max() <= 4
    assert np.abs(np.subtract(shown(data), 55)).max() <= 2
