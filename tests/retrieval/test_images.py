"""Every picture that can be used becomes upright RGB."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from retrieval import images
from retrieval.images import crop_image, decode_image, load_image, printable, resize_image, shown, thumbnail
from retrieval.types import Box

ORIENTATION = 0x0112


def encoded(picture: Pillow.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "AVIF", "JPEG"])
def test_what_was_saved_comes_back(draw, kind):
    image = draw(1)
    options = {"lossless": True} if kind == "WEBP" else {} if kind in ("PNG", "BMP", "TIFF") else {"quality": 95}
    back = decode_image(encoded(Pillow.fromarray(image), kind, **options))
    assert back.dtype == np.uint8 and back.shape == image.shape
    assert distance(back, image) <= (0 if kind not in ("AVIF", "JPEG") else 5)


def test_the_content_decides_not_the_suffix(draw, tmp_path: Path):
    image = draw(2)
    for name in ("png-inside.jpg", "no-suffix", "TIFF-no.PNG"):
        (tmp_path / name).write_bytes(encoded(Pillow.fromarray(image)))
        assert np.array_equal(load_image(tmp_path / name), image)


def test_cmyk_keeps_its_colours(draw):
    image = draw(3)
    cmyk = Pillow.fromarray(image).convert("CMYK")
    back = decode_image(encoded(cmyk, "JPEG", quality=95))
    assert np.abs(back.mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() <= 10


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
def test_deep_greys_look_like_their_8_bit_twin(draw, kind, widen):
    grey = draw(4)[:, :, 0]
    back = decode_image(encoded(Pillow.fromarray(widen(grey)), kind))
    assert np.abs(back.astype(int) - grey[:, :, None]).max() <= 1


def test_a_float_picture_of_any_range_is_spread_over_the_greys():
    ramp = np.linspace(-300, 7000, 64 * 64, dtype=np.float32).reshape(64, 64)
    ramp[0, 1] = np.nan
    back = decode_image(encoded(Pillow.fromarray(ramp), "TIFF"))
    assert back.min() == 0 and back.max() == 255
    assert np.all(np.diff(back[1:, :, 0].reshape(-1).astype(int)) >= 0)


def test_colours_under_full_transparency_are_not_used():
    hidden = np.zeros((40, 60, 4), np.uint8)
    hidden[:, :, :3] = np.random.default_rng(0).integers(0, 256, (40, 60, 3))
    hidden[:, 30:, :3] = (200, 40, 90)
    hidden[:, 30:, 3] = 255
    back = decode_image(encoded(Pillow.fromarray(hidden)))
    assert np.all(back[:, :30] == images.NEUTRAL_GREY)
    assert np.all(back[:, 30:] == (200, 40, 90))


def test_grey_with_alpha_and_palette_with_transparency():
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


def test_one_bit():
    bits = np.indices((16, 24)).sum(axis=0) % 2 == 0
    assert np.array_equal(decode_image(encoded(Pillow.fromarray(bits)))[:, :, 1], bits * np.uint8(255))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_an_animation_the_first_frame(kind):
    frames = [Pillow.new("RGB", (32, 24), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    back = decode_image(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert back.shape == (24, 32, 3) and distance(back, np.asarray(frames[0])) < 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_all_eight_orientations_give_one_picture(draw, kind):
    upright = Pillow.fromarray(draw(5, 64, 48))
    undo = {  # how a camera held that way would have stored it
        1: None,
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_90,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }
    for orientation, how in undo.items():
        stored = upright if how is None else upright.transpose(how)
        exif = Pillow.Exif()
        exif[ORIENTATION] = orientation
        options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
        back = decode_image(encoded(stored, kind, exif=exif, **options))
        assert back.shape == (48, 64, 3), orientation
        assert distance(back, np.asarray(upright)) <= (3 if kind == "JPEG" else 0), orientation


@pytest.mark.parametrize(
    "exif", [b"Exif\x00\x00garbage", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00MM\x00*"]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_costs_nothing(draw, kind, exif):
    image = draw(6)
    back = decode_image(encoded(Pillow.fromarray(image), kind, exif=exif))
    assert distance(back, image) < 8


def test_a_broken_colour_profile_costs_nothing(draw):
    image = draw(7)
    for profile in (b"nonsense", bytes(200), b"\x00\x00\x02\x0clcms" + bytes(500)):
        assert np.array_equal(decode_image(encoded(Pillow.fromarray(image), icc_profile=profile)), image)


def test_a_colour_profile_is_obeyed():
    red = Pillow.new("RGB", (16, 16), (255, 0, 0))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "BGRs".encode("utf-16-be"))
    assert np.abs(decode_image(encoded(red, icc_profile=srgb)).astype(int) - (255, 0, 0)).max() <= 2
    assert np.abs(decode_image(encoded(red, icc_profile=swapped)).astype(int) - (0, 0, 255)).max() <= 2


def test_the_longest_pictures_allowed(draw):
    assert decode_image(encoded(Pillow.new("RGB", (8, 8)))).shape == (8, 8, 3)
    assert decode_image(encoded(Pillow.new("RGB", (400, 8)))).shape == (8, 400, 3)


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


def test_names_in_sentences_stay_on_one_line():
    assert shown("beach.jpg") == "beach.jpg"
    assert shown("😀.jpg") == "😀.jpg"
    assert "\n" not in shown("a\nb\udcff.jpg") and shown("a\nb.jpg") == "a\N{REPLACEMENT CHARACTER}b.jpg"
    assert len(shown("x" * 5000)) <= 80 and len(printable("x" * 5000)) == 5000
