"""Every usable image becomes upright RGB."""

import contextlib
import gc
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageChops, ImageCms, ImageFile

from retrieval.errors import UnreadableImage
from retrieval.images.decode import decode_image, decode_picture, load_image
from retrieval.images.limits import FORMATS
from retrieval.images.resize import crop_image, resize_image, thumbnail
from retrieval.images.to_rgb import NEUTRAL_GREY
from retrieval.printable_names import printable, shown
from retrieval.types import Box

ORIENTATION = 0x0112
AS_CAMERAS_STORE = {  # by EXIF orientation: from upright to stored pixels
    1: None,
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_90,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_270,
}


def encoded(picture: Pillow.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def held(upright: Pillow.Image, orientation: int, kind: str, **options: object) -> bytes:
    how = AS_CAMERAS_STORE[orientation]
    exif = Pillow.Exif()
    exif[ORIENTATION] = orientation
    return encoded(upright if how is None else upright.transpose(how), kind, exif=exif, **options)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def profile_with_red_and_blue_swapped() -> bytes:
    swapped = srgb_profile().replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")
    return swapped.replace("sRGB".encode("utf-16-be"), "BGRs".encode("utf-16-be"))


def counted(function: Callable[..., object], calls: list[object]) -> Callable[..., object]:
    def call(*args: object) -> object:
        calls.append(args)
        return function(*args)

    return call


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "AVIF", "JPEG"])
def test_lossless_files_decode_to_the_saved_pixels(draw, kind):
    image = draw(1)
    options = {"lossless": True} if kind == "WEBP" else {} if kind in ("PNG", "BMP", "TIFF") else {"quality": 95}
    back = decode_image(encoded(Pillow.fromarray(image), kind, **options))
    assert back.dtype == np.uint8 and back.shape == image.shape
    assert distance(back, image) <= (0 if kind not in ("AVIF", "JPEG") else 5)


def test_r04_the_content_decides_not_the_suffix(draw, tmp_path: Path):
    image = draw(2)
    for name in ("png-inside.jpg", "no-suffix", "TIFF-no.PNG"):
        (tmp_path / name).write_bytes(encoded(Pillow.fromarray(image)))
        assert np.array_equal(load_image(tmp_path / name), image)


@pytest.mark.parametrize("adobe", [True, False], ids=["inverted-by-adobe", "plain"])
def test_r06_cmyk_keeps_its_colours(draw, adobe):
    image = draw(3)
    cmyk = Pillow.fromarray(image).convert("CMYK")
    data = encoded(cmyk if adobe else ImageChops.invert(cmyk), "JPEG", quality=95)  # Pillow writes as Adobe does
    if not adobe:
        start = data.index(b"\xff\xee\x00\x0eAdobe")
        data = data[:start] + data[start + 16 :]
    assert distance(decode_image(data), image) < 3
    assert np.abs(decode_image(data).mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() <= 10


def test_r06_a_tiff_in_lab():
    colours = {  # CIE L*a*b*, D50, of colours of sRGB
        (255, 255, 255): (100, 0, 0),
        (119, 119, 119): (50, 0, 0),
        (255, 0, 0): (54.29, 80.81, 69.89),
        (0, 255, 0): (87.82, -79.29, 80.99),
    }
    for rgb, (lightness, a, b) in colours.items():
        lab = np.array([round(lightness * 2.55), round(a) % 256, round(b) % 256], np.uint8)
        out = io.BytesIO()
        tifffile.imwrite(out, np.broadcast_to(lab, (16, 24, 3)), photometric="cielab")
        assert np.abs(decode_image(out.getvalue()).astype(int) - rgb).max() <= 15, rgb  # a and b are whole numbers


@pytest.mark.parametrize(
    ("kind", "widen"),
    [
        ("PNG", lambda grey: grey.astype(np.uint16) * 257),
        ("TIFF", lambda grey: grey.astype(np.uint16) * 257),
        ("TIFF", lambda grey: grey.astype(np.int32) * 257),
        ("TIFF", lambda grey: grey.astype(np.float32) / 255),
        ("TIFF", lambda grey: grey.astype(np.float32)),
    ],
    ids=["16-bit-png", "16-bit-tiff", "32-bit-tiff", "float-of-1-tiff", "float-of-255-tiff"],
)
def test_r07_deep_greys_look_like_their_8_bit_twin(draw, kind, widen):
    grey = draw(4)[:, :, 0]
    back = decode_image(encoded(Pillow.fromarray(widen(grey)), kind))
    assert np.abs(back.astype(int) - grey[:, :, None]).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_r07_deep_colours_look_like_their_8_bit_twin(draw, png, kind):
    deep = draw(4).astype(np.uint16) * 257
    out = io.BytesIO()
    if kind == "TIFF":
        tifffile.imwrite(out, deep, photometric="rgb")
    else:
        out.write(png(128, 96, 16, 2, (b"\0" + row.astype(">u2").tobytes() for row in deep)))
    assert np.array_equal(decode_image(out.getvalue()), draw(4))


def test_r07_deep_greys_have_the_vectors_of_their_8_bit_twin(draw, tiny_embedder):
    grey = draw(4, 320, 240)[:, :, 0]
    for deep in (grey.astype(np.uint16) * 257, grey.astype(np.float32) / 255):
        twin, vectors = (
            tiny_embedder.describe(decode_image(encoded(Pillow.fromarray(pixels), "TIFF"))).vectors
            for pixels in (grey, deep)
        )
        assert cosines(twin, vectors).min() > 0.99
    assert thumbnail(decode_image(encoded(Pillow.fromarray(deep), "TIFF")))[:2] == b"\xff\xd8"


def test_r07_a_float_picture_of_any_range_is_spread_over_the_greys():
    ramp = np.linspace(-300, 7000, 64 * 64, dtype=np.float32).reshape(64, 64)
    ramp.view(np.uint32)[0, 1:5] = 0x7FC00000, 0x7FA00000, 0x7F800000, 0xFF800000  # NaN of both kinds, infinities
    back = decode_image(encoded(Pillow.fromarray(ramp), "TIFF"))
    assert back.min() == 0 and back.max() == 255
    assert np.all(np.diff(back[1:, :, 0].reshape(-1).astype(int)) >= 0)


def test_r08_colours_under_full_transparency_are_not_used():
    hidden = np.zeros((40, 60, 4), np.uint8)
    hidden[:, :, :3] = np.random.default_rng(0).integers(0, 256, (40, 60, 3))
    hidden[:, 30:, :3] = (200, 40, 90)
    hidden[:, 30:, 3] = 255
    back = decode_image(encoded(Pillow.fromarray(hidden)))
    assert np.all(back[:, :30] == NEUTRAL_GREY)
    assert np.all(back[:, 30:] == (200, 40, 90))


def test_r08_grey_with_alpha_and_palette_with_transparency():
    grey = np.full((20, 20, 2), (250, 0), np.uint8)
    grey[10:, :, 1] = 255
    back = decode_image(encoded(Pillow.fromarray(grey, "LA")))
    assert np.all(back[:10] == 128) and np.all(back[10:] == 250)

    palette = Pillow.fromarray(np.repeat([[0] * 20, [1] * 20], 10, axis=0).astype(np.uint8), "P")
    palette.putpalette([255, 0, 0, 0, 0, 255])
    for transparency in (0, b"\x00\xff"):
        back = decode_image(encoded(palette, "PNG", transparency=transparency))
        assert np.all(back[:10] == 128) and np.all(back[10:] == (0, 0, 255))
    assert np.all(decode_image(encoded(palette))[:10] == (255, 0, 0))


def test_r08_one_bit():
    bits = np.indices((16, 24)).sum(axis=0) % 2 == 0
    assert np.array_equal(decode_image(encoded(Pillow.fromarray(bits)))[:, :, 1], bits * np.uint8(255))


def test_r08_a_colour_profile_holds_for_half_transparent_pictures_too():
    swapped = profile_with_red_and_blue_swapped()
    red = Pillow.new("RGBA", (16, 16), (255, 0, 0, 255))
    assert np.abs(decode_image(encoded(red, icc_profile=swapped)).astype(int) - (0, 0, 255)).max() <= 2


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_r09_of_an_animation_the_first_frame(kind):
    frames = [Pillow.new("RGB", (32, 24), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    back = decode_picture(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert back.image.shape == (24, 32, 3) and distance(back.image, np.asarray(frames[0])) < 3


def test_r09_ten_thousand_frames_cost_one(monkeypatch):
    still = encoded(Pillow.new("RGB", (400, 300), (255, 0, 0)), "GIF")
    start = still.index(b",\0\0\0\0")  # of the first frame
    bomb = still[:start] + still[start:-1] * 10_000 + b";"
    loads = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", counted(ImageFile.ImageFile.load, loads))
    back = decode_picture(bomb)
    assert np.all(back.image == (255, 0, 0)) and len(loads) < 10


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("complete", [True, False])
def test_r59_decoding_leaves_no_picture_in_memory(draw, kind, complete):
    """Pixels in a reference cycle would stay until the next garbage collection, 400 MB of a large picture."""
    data = encoded(Pillow.fromarray(draw(1, 320, 240)), kind)
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(UnreadableImage):
            decode_picture(data if complete else data[: len(data) // 2])
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert not [left for left in gc.garbage if issubclass(type(left), Pillow.Image)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "AVIF"])
def test_r10_all_eight_orientations_give_one_picture(draw, kind):
    upright = Pillow.fromarray(draw(5, 64, 48))
    options = {
        "JPEG": {"quality": 95, "subsampling": 0},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    }
    for orientation in AS_CAMERAS_STORE:
        back = decode_picture(held(upright, orientation, kind, **options.get(kind, {})))
        assert (back.width, back.height) == (64, 48) and back.image.shape == (48, 64, 3), orientation
        assert distance(back.image, np.asarray(upright)) <= (3 if kind in ("JPEG", "AVIF") else 0), orientation


@given(
    orientation=st.sampled_from(sorted(AS_CAMERAS_STORE)),
    size=st.tuples(st.integers(12, 300), st.integers(12, 300)),
    seed=st.integers(0, 99),
)
def test_r10_every_orientation_has_the_same_vectors_and_thumbnail(draw, tiny_embedder, orientation, size, seed):
    image = draw(seed, *size)
    back = decode_image(held(Pillow.fromarray(image), orientation, "PNG"))
    assert np.array_equal(back, image) and thumbnail(back) == thumbnail(image)
    assert cosines(tiny_embedder.describe(back).vectors, tiny_embedder.describe(image).vectors).min() > 0.999


@pytest.mark.parametrize(
    "exif", [b"Exif\x00\x00garbage", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00MM\x00*"]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_r11_broken_exif_costs_nothing(draw, kind, exif):
    image = draw(6)
    back = decode_image(encoded(Pillow.fromarray(image), kind, exif=exif))
    assert distance(back, image) < 8


def test_r11_a_broken_colour_profile_costs_nothing(draw):
    image = draw(7)
    for profile in (b"nonsense", bytes(200), b"\x00\x00\x02\x0clcms" + bytes(500)):
        assert np.array_equal(decode_image(encoded(Pillow.fromarray(image), icc_profile=profile)), image)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_r11_a_megabyte_of_exif_costs_nothing(draw, kind):
    image = draw(6)
    exif = Pillow.Exif()
    exif[0x927C], exif[0x0112] = bytes(1_000_000), 3
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(decode_image(encoded(Pillow.fromarray(image), kind, exif=exif, **options)), image[::-1, ::-1])


@pytest.mark.parametrize("xmp", [b"\xff\xfe<x:xmpmeta", b'<rdf tiff:Orientation="9"/>', b"\0" * 60_000])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_r11_broken_xmp_costs_nothing(draw, kind, xmp):
    image = draw(6)
    assert distance(decode_image(encoded(Pillow.fromarray(image), kind, xmp=xmp)), image) < 8


def test_r11_an_orientation_counts_though_the_rest_of_its_block_is_broken(draw):
    image = draw(6)
    exif = Pillow.Exif()
    exif[0x0112], exif[0x010F] = 3, "maker"
    block = exif.tobytes().replace(b"\x0f\x01\x02\x00", b"\x0f\x01\x63\x00")  # an invalid type
    assert np.array_equal(decode_image(encoded(Pillow.fromarray(image), exif=block)), image[::-1, ::-1])


def test_colour_profile_is_applied():
    red = Pillow.new("RGB", (16, 16), (255, 0, 0))
    assert np.abs(decode_image(encoded(red, icc_profile=srgb_profile())).astype(int) - (255, 0, 0)).max() <= 2
    swapped = profile_with_red_and_blue_swapped()
    assert np.abs(decode_image(encoded(red, icc_profile=swapped)).astype(int) - (0, 0, 255)).max() <= 2


def test_r13_the_smallest_and_longest_pictures_allowed(draw):
    assert decode_image(encoded(Pillow.new("RGB", (8, 8)))).shape == (8, 8, 3)
    assert decode_image(encoded(Pillow.new("RGB", (400, 8)))).shape == (8, 400, 3)


def smooth(draw: Callable[..., np.ndarray], width: int, height: int) -> np.ndarray:
    """A smooth image, so that decoding at half size loses nothing."""
    return np.asarray(Pillow.fromarray(draw(3, width // 16, height // 16)).resize((width, height)))


@pytest.mark.parametrize(
    ("width", "height", "enough", "expected"),
    [(1600, 800, 800, 2), (1600, 800, 801, 1), (800, 1600, 400, 4), (1599, 800, 100, 8), (1605, 803, 1, 8)],
)
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_jpeg_is_decoded_no_larger_than_needed(draw, width, height, enough, expected, orientation):
    image = smooth(draw, width, height)
    data = held(Pillow.fromarray(image), orientation, "JPEG", quality=95)
    back = decode_picture(data, enough=enough)
    assert (back.width, back.height) == (width, height)  # of the original, upright
    assert back.image.shape == (-(-height // expected), -(-width // expected), 3)
    assert max(back.image.shape) >= enough
    height, width = back.image.shape[:2]
    assert distance(back.image, resize_image(image, width, height)) < 4
    assert decode_image(data).shape == image.shape


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
def test_other_formats_are_always_decoded_in_full(draw, kind):
    back = decode_picture(encoded(Pillow.fromarray(draw(3, 640, 480)), kind), enough=100)
    assert back.image.shape == (480, 640, 3) and (back.width, back.height) == (640, 480)


def test_decoded_images_are_read_only(draw):
    assert not decode_image(encoded(Pillow.fromarray(draw(1)))).flags.writeable


def test_thumbnails_are_small_plain_jpegs(draw):
    for width, height in ((1000, 200), (200, 1000), (40, 30)):
        with Pillow.open(io.BytesIO(thumbnail(draw(8, width, height)))) as small:
            assert small.format == "JPEG" and max(small.size) <= 320 and not small.getexif()
            assert small.width / small.height == pytest.approx(width / height, rel=0.03)
    with Pillow.open(io.BytesIO(thumbnail(draw(8, 40, 30)))) as small:
        assert small.size == (40, 30)  # never enlarged


def test_crop_and_resize(draw):
    image = draw(9)
    assert np.array_equal(crop_image(image, Box(3, 5, 20, 30)), image[5:30, 3:20])
    assert resize_image(image, 64, 32).shape == (32, 64, 3)
    assert resize_image(image, 128, 96) is image


def test_names_in_messages_stay_on_one_line():
    assert shown("beach.jpg") == "beach.jpg"
    assert shown("😀.jpg") == "😀.jpg"
    assert "\n" not in shown("a\nb\udcff.jpg") and shown("a\nb.jpg") == "a\N{REPLACEMENT CHARACTER}b.jpg"
    assert len(shown("x" * 5000)) <= 80 and len(printable("x" * 5000)) == 5000
