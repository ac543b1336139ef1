"""Formats that packages read: HEIC, JPEG XL, JPEG 2000 and the raw files of cameras; good, cut, hostile and renamed."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import ExifTags, ImageCms
from PIL import Image as Pillow

from retrieval.errors import UnreadableImage
from retrieval.images import decode, file_kinds
from retrieval.images.decode import decode_picture
from retrieval.images.heif import prepare_heif
from retrieval.images.jpeg_xl import jpeg_xl_size, prepare_jpeg_xl
from retrieval.images.limits import Limits
from retrieval.optional_packages import OptionalPackage
from tests.dng import dng
from tests.documents import encoded

prepare_heif()
prepare_jpeg_xl()
KINDS = {"HEIF": "a.heic", "JXL": "a.jxl", "JPEG2000": "a.jp2"}
HEIC_OPTIONS = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}


def written(image: np.ndarray, kind: str) -> bytes:
    """A lossless file."""
    options = {"HEIF": HEIC_OPTIONS, "JXL": {"lossless": True, "effort": 1}, "JPEG2000": {"irreversible": False}}
    return encoded(image, kind, **options[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_pixels_are_those_that_were_written(draw, kind):
    back = decode_picture(written(draw(1), kind), KINDS[kind])
    assert back.size == (128, 96)
    assert np.abs(back.image.astype(int) - draw(1)).max() <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_r78_a_cut_file_is_refused(draw, kind):
    data = written(draw(1), kind)
    for length in (20, len(data) // 4, len(data) // 2, len(data) - 40):
        with pytest.raises(UnreadableImage) as caught:
            decode_picture(data[:length], KINDS[kind])
        assert str(caught.value).startswith(KINDS[kind]) and str(caught.value).endswith(".")


@pytest.mark.parametrize("kind", KINDS)
def test_r78_the_content_decides_not_the_suffix(draw, kind):
    data = written(draw(1), kind)
    for name in ("a.jpg", "a.png", "a", "a.heic"):
        assert decode_picture(data, name).size == (128, 96)
    assert decode_picture(encoded(draw(1), "JPEG"), KINDS[kind]).size == (128, 96)


@pytest.mark.parametrize("kind", KINDS)
def test_r78_a_picture_that_is_too_large_is_refused_before_it_is_decoded(draw, kind, monkeypatch):
    data = written(draw(1), kind)
    monkeypatch.setattr(decode, "LIMITS", Limits(pixels=128 * 96 - 1))
    with pytest.raises(UnreadableImage) as caught:
        decode_picture(data, KINDS[kind])
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("kind", ["HEIF", "JXL"])
def test_a_picture_is_upright_whatever_the_camera_has_written(draw, kind):
    """In HEIC and JPEG XL the decoder turns the picture; the EXIF data repeat how, and must not turn it again."""
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    data = encoded(draw(1), kind, exif=exif.tobytes())
    back = decode_picture(data, KINDS[kind])
    assert back.taken is not None and back.taken.year == 2024
    assert back.size == ((96, 128) if kind == "HEIF" else (128, 96))
    if kind == "HEIF":
        assert np.abs(back.image.astype(int) - np.rot90(draw(1), -1)).mean() < 8


def test_the_colour_profile_of_a_heic_is_used(draw):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    wide = Pillow.new("RGB", (64, 64), (200, 40, 40))
    plain = decode_picture(encoded(np.asarray(wide), "HEIF", **HEIC_OPTIONS), "a.heic").image[32, 32]
    other = decode_picture(encoded(np.asarray(wide), "HEIF", icc_profile=lab, **HEIC_OPTIONS), "a.heic").image[32, 32]
    assert np.abs(plain.astype(int) - (200, 40, 40)).max() <= 2
    assert np.abs(other.astype(int) - plain).max() <= 2  # a profile of another colour model is ignored
    srgb = decode_picture(encoded(np.asarray(wide), "HEIF", icc_profile=_swapped_primaries(), **HEIC_OPTIONS), "a.heic")
    assert srgb.image[32, 32][0] < srgb.image[32, 32][1]


def _swapped_primaries() -> bytes:
    """An sRGB profile whose red and green primaries are exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    tags = {bytes(profile[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(count)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("size", [(16, 16), (131, 97), (128, 128), (160, 120), (320, 180), (300, 77)])
def test_the_size_of_a_jpeg_xl_is_read_from_its_first_bytes(draw, size):
    for options in ({}, {"use_container": True}):
        assert jpeg_xl_size(encoded(draw(1, *size), "JXL", effort=1, **options)) == size


def test_r78_a_jpeg_xl_of_a_billion_pixels_is_refused_at_once():
    bits = 0b10 << 1 | (2**18 - 1) << 3 | 1 << 21  # 262,144 pixels high, as wide
    bomb = b"\xff\x0a" + bits.to_bytes(8, "little")
    began = time.perf_counter()
    with pytest.raises(UnreadableImage) as caught:
        decode_picture(bomb, "a.jxl")
    assert caught.value.reason == "too_large" and time.perf_counter() - began < 1


def test_a_raw_file_is_its_preview_or_a_development_of_half_its_size(draw):
    raw, preview = draw(1, 256, 192), draw(2, 256, 192)
    developed = decode_picture(dng(raw), "a.dng")
    assert developed.size == (128, 96)
    small = np.asarray(Pillow.fromarray(raw).reduce(2), float)
    assert np.corrcoef(developed.image.ravel(), small.ravel())[0, 1] > 0.8  # LibRaw brightens it
    shown = decode_picture(dng(raw, preview), "a.dng")
    assert shown.size == (256, 192) and np.abs(shown.image.astype(int) - preview).mean() < 8
    tiny = decode_picture(dng(raw, preview[::4, ::4]), "a.dng")
    assert tiny.size == (128, 96)  # such a preview shows too little


def test_a_raw_file_is_upright(draw):
    raw, preview = draw(1, 256, 192), draw(2, 256, 192)
    assert decode_picture(dng(raw, orientation=6), "a.dng").size == (96, 128)
    shown = decode_picture(dng(raw, preview, orientation=6), "a.dng")
    assert shown.size == (192, 256) and np.abs(shown.image.astype(int) - np.rot90(preview, -1)).mean() < 8


def test_r78_a_cut_raw_file_is_refused(draw, capfd):
    data = dng(draw(1, 256, 192))
    for length in (100, 2000, len(data) // 2):
        with pytest.raises(UnreadableImage) as caught:
            decode_picture(data[:length], "a.dng")
        assert str(caught.value).startswith("a.dng") and caught.value.reason in ("damaged", "truncated")


def test_r78_a_raw_file_that_is_too_large_is_refused(draw, monkeypatch):
    monkeypatch.setattr(decode, "LIMITS", Limits(pixels=256 * 192 - 1))
    with pytest.raises(UnreadableImage) as caught:
        decode_picture(dng(draw(1, 256, 192)), "a.dng")
    assert caught.value.reason == "too_large"


def test_r78_a_tiff_named_dng_and_a_jpeg_named_nef(draw):
    assert decode_picture(encoded(draw(1), "JPEG"), "a.nef").size == (128, 96)
    with pytest.raises(UnreadableImage):
        decode_picture(b"II*\0" + bytes(200), "a.dng")


def test_without_its_package_a_file_is_refused_with_the_command_that_installs_it(draw, monkeypatch):
    missing = OptionalPackage("pillow-heif", "no_such_module", "")
    monkeypatch.setitem(file_kinds.PACKAGES, "HEIC", missing)
    with pytest.raises(UnreadableImage, match=r"needs the package pillow-heif; run `pip install") as caught:
        decode_picture(written(draw(1), "HEIF"), "a.heic")
    assert caught.value.reason == "format"


def test_a_multi_picture_jpeg_is_its_first_picture(draw):
    out = io.BytesIO()
    first, second = Pillow.fromarray(draw(1)), Pillow.fromarray(draw(2))
    first.save(out, "MPO", save_all=True, append_images=[second], quality=95)
    for name in ("a.mpo", "a.jpe"):
        back = decode_picture(out.getvalue(), name)
        assert back.size == (128, 96) and np.abs(back.image.astype(int) - draw(1)).mean() < 8
