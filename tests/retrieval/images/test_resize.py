import numpy as np
import pytest

from retrieval.errors import UnreadableImage
from retrieval.images.decode import LoadedImage, decode_image
from retrieval.images.jpeg_decoder import decode_thumbnail
from retrieval.images.resize import crop_image, shrink_image, thumbnail
from retrieval.types import Box


@pytest.mark.parametrize("size", [(800, 600), (400, 300), (7, 3), (1, 1)])
def test_a_crop_covers_its_box_and_has_at_least_one_pixel(size):
    image = np.arange(size[0] * size[1] * 3, dtype=np.uint32).reshape(size[1], size[0], 3).astype(np.uint8)
    for box in (Box(0, 0, 800, 600), Box(799, 599, 800, 600), Box(0, 0, 1, 1), Box(333, 111, 335, 600)):
        found = crop_image(image, box, (800, 600))
        assert found.shape[0] >= max(1, box.height * size[1] // 600)
        assert found.shape[1] >= max(1, box.width * size[0] // 800)
    assert np.array_equal(crop_image(image, Box(0, 0, 800, 600), (800, 600)), image)


def test_boxes_of_a_smaller_copy_are_in_pixels_of_the_original(draw):
    image = draw(1, 400, 300)
    copy = LoadedImage(image, 1200, 900)
    assert copy.whole == Box(0, 0, 1200, 900)
    assert np.array_equal(copy.crop(Box(300, 150, 600, 450)), image[50:150, 100:200])
    assert np.array_equal(LoadedImage.of(image).crop(Box(10, 20, 30, 50)), image[20:50, 10:30])


def test_an_image_is_shrunk_to_a_number_of_pixels_and_never_enlarged(draw):
    image = draw(2, 400, 100)
    small = shrink_image(image, 10_000)
    assert small.shape == (50, 200, 3)
    assert shrink_image(image, 40_000) is image
    assert shrink_image(np.zeros((8, 50, 3), np.uint8), 1).shape == (1, 2, 3)


def test_a_thumbnail_is_decoded_as_any_picture_and_smaller_if_that_is_enough(draw):
    data = thumbnail(draw(1, 400, 200))
    assert (decode_thumbnail(data) == decode_image(data)).all()
    assert decode_thumbnail(data, enough=30).shape == (40, 80, 3)
    with pytest.raises(UnreadableImage):
        decode_thumbnail(data[:20])
