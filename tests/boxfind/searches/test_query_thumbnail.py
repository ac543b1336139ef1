"""Uploaded pictures are stored upright, at limited size and without metadata."""

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageCms, JpegImagePlugin

from boxfind.searches.link import from_params, to_params
from boxfind.searches.query_thumbnail import LONGEST_SIDE, keepable, kept
from retrieval.images.decode import LoadedImage, decode_image
from retrieval.request import Example, Request
from retrieval.types import Box

SECRETS = (b"Exif", b"GPS", b"Jane", b"ICC_PROFILE", b"xmpmeta", b"a comment")
GALLERY, UPLOAD, OTHER = "a" * 64, "b" * 64, "c" * 64


def opened(jpeg: bytes) -> JpegImagePlugin.JpegImageFile:
    picture = Pillow.open(io.BytesIO(jpeg), formats=["JPEG"])
    assert isinstance(picture, JpegImagePlugin.JpegImageFile)
    return picture


def marker_codes(jpeg: bytes) -> set[int]:
    """Return the marker code of every JPEG segment before the image data."""
    codes, place = set(), 2
    while jpeg[place + 1] != 0xDA:
        codes.add(jpeg[place + 1])
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4])
    return codes


@pytest.fixture
def from_a_camera(draw) -> bytes:
    """A rotated picture, 40 high and 60 wide once upright, with personal metadata."""
    exif = Pillow.Exif()
    exif[0x0112], exif[0x013B] = 6, "Jane"  # orientation, artist
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 29: "GPS date"})
    out = io.BytesIO()
    Pillow.fromarray(draw(1, 60, 40)).transpose(Pillow.Transpose.ROTATE_90).save(
        out,
        "JPEG",
        quality=100,
        subsampling=0,
        exif=exif,
        comment=b"a comment",
        xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>Jane</x:xmpmeta>",
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    )
    return out.getvalue()


def test_metadata_is_removed(from_a_camera: bytes, draw):
    assert all(secret in from_a_camera for secret in SECRETS)
    jpeg = keepable(decode_image(from_a_camera))
    assert not [secret for secret in SECRETS if secret in jpeg]
    assert marker_codes(jpeg) == {0xE0, 0xDB, 0xC0, 0xC4}  # JFIF, quantisation, frame, Huffman
    picture = opened(jpeg)
    assert not picture.getexif() and set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    upright = draw(1, 60, 40)
    assert picture.size == (60, 40) == upright.shape[1::-1]
    assert np.abs(np.asarray(picture).astype(int) - upright).mean() < 4


def test_colours_are_kept_at_full_resolution():
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = 255
    jpeg = keepable(stripes)
    assert JpegImagePlugin.get_sampling(opened(jpeg)) == 0  # 4:4:4
    assert np.abs(np.asarray(opened(jpeg)).astype(int) - stripes).max() < 40
    assert keepable(stripes) == jpeg


@pytest.mark.parametrize(
    ("size", "small"), [((2049, 100), (2048, 100)), ((30, 4096), (15, 2048)), ((2048, 9), (2048, 9))]
)
def test_large_pictures_are_made_smaller(size, small):
    assert opened(keepable(np.zeros((size[1], size[0], 3), np.uint8))).size == small


def test_a_request_refers_to_the_stored_pictures(draw):
    box = Box(3, 4, 30, 40)
    request = Request(
        (Example(UPLOAD, box), Example(GALLERY, box, "view"), Example(UPLOAD, box, "not"), Example(OTHER, box, "also")),
        context=1.2,
        positives=("x",),
    )
    images = {UPLOAD: draw(1, 64, 48), OTHER: draw(2, 64, 48)}
    loaded = {key: LoadedImage.of(image) for key, image in images.items()}
    moved, pictures = kept(request, loaded, {GALLERY})
    assert pictures == {hashlib.sha256(keepable(image)).hexdigest(): keepable(image) for image in images.values()}
    upload, other = pictures
    assert [example.picture for example in moved.examples] in (
        [upload, GALLERY, upload, other],
        [other, GALLERY, other, upload],
    )
    assert pictures[moved.examples[0].picture] == keepable(images[UPLOAD])
    assert [(e.box, e.role) for e in moved.examples] == [(e.box, e.role) for e in request.examples]
    assert (moved.context, moved.positives) == (1.2, ("x",))
    assert kept(moved, {}, {GALLERY, *pictures}) == (moved, {})


def test_an_unknown_picture_is_an_error():
    with pytest.raises(KeyError):
        kept(Request((Example(UPLOAD, Box(0, 0, 9, 9)),)), {}, {GALLERY})


@given(st.data(), st.integers(8, 5000), st.integers(8, 5000))
def test_boxes_are_scaled_within_a_pixel_and_stay_inside(data, width, height):
    x0, x1 = sorted(data.draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(data.draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True)))
    image = np.broadcast_to(np.zeros(3, np.uint8), (height, width, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("boxfind.searches.query_thumbnail.keepable", lambda _: b"any")
        moved, _ = kept(Request((Example(UPLOAD, Box(x0, y0, x1, y1)),)), {UPLOAD: LoadedImage.of(image)}, ())
    box, scale = moved.examples[0].box, min(1, LONGEST_SIDE / max(width, height))
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    assert 0 <= box.x0 < box.x1 <= new_width and 0 <= box.y0 < box.y1 <= new_height
    exact = [x0 * new_width / width, y0 * new_height / height, x1 * new_width / width, y1 * new_height / height]
    for edge, place, outwards in zip((box.x0, box.y0, box.x1, box.y1), exact, (-1, -1, 1, 1), strict=True):
        assert -1e-9 <= (edge - place) * outwards < 1
    assert from_params(to_params(moved)) == moved
    if scale == 1:
        assert box == Box(x0, y0, x1, y1)
