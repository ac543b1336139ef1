"""Pages of a TIFF and frames of animations: which there are, and what each shows."""

import io
import struct
import time

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from retrieval.errors import UnreadableImage
from retrieval.images.image_pages import ImagePages, image_places
from retrieval.images.limits import SourceLimits
from tests.documents import encoded, paged

LIMITS = SourceLimits()
LOSSLESS = {"TIFF": {}, "GIF": {}, "WEBP": {"lossless": True}, "PNG": {}, "AVIF": {"quality": 100, "speed": 10}}
ANIMATED = ["GIF", "WEBP", "PNG", "AVIF"]


@pytest.fixture
def pages_of(tmp_path):
    def open_pages(data: bytes, limits: SourceLimits = LIMITS) -> ImagePages:
        (tmp_path / "a").write_bytes(data)
        return ImagePages(tmp_path / "a", "a", limits)

    return open_pages


@pytest.mark.parametrize("kind", LOSSLESS)
def test_every_page_and_frame_is_a_picture(draw, pages_of, kind):
    images = [draw(seed) for seed in range(4)]
    with pages_of(paged(images, kind, **LOSSLESS[kind])) as pages:
        word = "page" if kind == "TIFF" else "frame"
        assert list(pages.places) == ["", *(f"{word}={number}" for number in (2, 3, 4))]
        for place, image in zip(pages.places, images, strict=True):
            shown = pages.picture(place).image
            assert np.abs(shown.astype(int) - image).mean() < (12 if kind in ("GIF", "AVIF") else 0.01)


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "PNG", "AVIF", "JPEG", "BMP"])
def test_a_single_picture_has_one_place(draw, kind):
    assert image_places(encoded(draw(1), kind), "a", LIMITS) == ([""], 1)


def test_a_page_may_be_of_another_size_mode_and_depth(draw, pages_of):
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as tiff:
        tiff.write(draw(1))
        tiff.write(draw(2, 64, 48)[..., 0].astype(np.uint16) << 2)
        tiff.write(draw(3, 96, 64).astype(np.uint16) << 4, photometric="rgb")
    with pages_of(out.getvalue()) as pages:
        assert [pages.picture(place).size for place in pages.places] == [(128, 96), (64, 48), (96, 64)]
        assert np.abs(pages.picture("page=3").image.astype(int) - draw(3, 96, 64)).mean() < 2


def test_smaller_copies_in_a_tiff_are_no_pages(draw):
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as tiff:
        tiff.write(draw(1))
        tiff.write(draw(1, 64, 48), subfiletype=1)
        tiff.write(draw(2))
    assert image_places(out.getvalue(), "a", LIMITS) == (["", "page=3"], 2)


def test_frames_of_a_long_animation_are_evenly_spaced(draw):
    data = paged([draw(seed, 32, 32) for seed in range(41)], "GIF")
    places, total = image_places(data, "a", SourceLimits(frames=5))
    assert (list(places), total) == (["", "frame=11", "frame=21", "frame=31", "frame=41"], 5)
    assert image_places(data, "a", SourceLimits(frames=1)) == ([""], 1)


def test_frames_that_show_the_same_are_left_out(draw, pages_of):
    still = draw(1)
    noisy = np.clip(still + np.random.default_rng(0).integers(-2, 3, still.shape), 0, 255).astype(np.uint8)
    with pages_of(paged([still, noisy, draw(2), noisy], "PNG")) as pages:
        assert [pages.is_new(pages.picture(place)) for place in pages.places] == [True, False, True, False]
    with pages_of(paged([still, noisy], "TIFF")) as pages:  # two pages of a document
        assert [pages.is_new(pages.picture(place)) for place in pages.places] == [True, True]


def test_r79_a_damaged_page_costs_only_itself(draw, pages_of):
    images = [draw(seed) for seed in range(3)]
    data = bytearray(paged(images, "TIFF", compression="tiff_adobe_deflate"))
    with Pillow.open(io.BytesIO(data)) as tiff:
        tiff.seek(1)
        start, size = tiff.tag_v2[273][0], tiff.tag_v2[279][0]
    data[start : start + size] = bytes(size)
    with pages_of(bytes(data)) as pages:
        assert np.array_equal(pages.picture("").image, images[0])
        with pytest.raises(UnreadableImage):
            pages.picture("page=2")
        assert np.array_equal(pages.picture("page=3").image, images[2])


@pytest.mark.parametrize("kind", LOSSLESS)
def test_r79_a_cut_file_has_fewer_pages_or_says_which_are_lost(draw, pages_of, kind):
    images = [draw(seed) for seed in range(4)]
    data = paged(images, kind, **LOSSLESS[kind])
    for length in range(len(data) // 2, len(data) - 8, len(data) // 7):
        with pages_of(data[:length]) as pages:
            for place, image in zip(pages.places, images, strict=False):
                try:
                    shown = pages.picture(place).image
                except UnreadableImage as problem:
                    assert str(problem).endswith(".")
                else:
                    assert np.abs(shown.astype(int) - image).mean() < 12, (length, place)


def bomb(pages: int, loop: bool = False) -> bytes:
    """A TIFF of many pages that all show the same four bytes; the last one may lead back to the first."""
    entry = struct.Struct("<HHII")
    tags = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    tags += [(277, 3, 1, 1), (278, 4, 1, 1), (279, 4, 1, 1)]
    size = 2 + 12 * len(tags) + 4
    body = struct.pack("<H", len(tags)) + b"".join(entry.pack(*tag) for tag in tags)
    out = struct.pack("<2sHI4x", b"II", 42, 12)
    for page in range(pages):
        after = 12 + (page + 1) * size if page < pages - 1 else 12 * loop
        out += body + struct.pack("<I", after)
    return out


@pytest.mark.parametrize("loop", [False, True])
def test_r80_ten_thousand_pages_are_counted_at_once_and_limited(loop):
    began = time.perf_counter()
    places, total = image_places(bomb(10_000, loop), "a", LIMITS)
    assert (len(places), total) == (2_000, 10_000) and time.perf_counter() - began < 1
    assert image_places(bomb(3, loop), "a", LIMITS)[1] == 3


def test_r80_a_gif_of_a_hundred_thousand_frames_is_limited(draw):
    still = encoded(np.full((8, 8, 3), 9, np.uint8), "GIF")
    start = still.index(b",\0\0\0\0")
    data = still[:start] + still[start:-1] * 120_000 + b";"
    began = time.perf_counter()
    places, _ = image_places(data, "a", LIMITS)
    assert len(places) == 20 and time.perf_counter() - began < 2
