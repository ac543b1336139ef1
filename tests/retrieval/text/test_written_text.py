"""The reader reads drawn text, from the networks inside the package only."""

import logging
import socket

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from retrieval.text.written_text import TextReader
from retrieval.types import Box, iou


@pytest.fixture(scope="module")
def reader():
    return TextReader()


@pytest.fixture(scope="module")
def sign():
    """A picture that says OPEN DAILY, and the box of the words."""
    picture = Pillow.new("RGB", (400, 300), "navy")
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(40)
    pen.text((60, 120), "OPEN DAILY", "white", font)
    return np.asarray(picture), Box(*map(int, pen.textbbox((60, 120), "OPEN DAILY", font)))


def test_drawn_words_are_read(reader, sign):
    image, box = sign
    (line,) = reader.read(image)
    assert line.text.replace(" ", "") == "OPENDAILY"
    assert iou(line.box, box) > 0.5
    assert 0.5 <= line.confidence <= 1


def test_text_upside_down_is_read(reader, sign):
    (line,) = reader.read(np.ascontiguousarray(sign[0][::-1, ::-1]))
    assert line.text.replace(" ", "") == "OPENDAILY"


def test_boxes_are_in_pixels_of_a_large_image(reader, sign):
    image, box = sign
    (line,) = reader.read(np.kron(image, np.ones((6, 6, 1), np.uint8)))
    assert iou(line.box, Box(*(6 * edge for edge in (box.x0, box.y0, box.x1, box.y1)))) > 0.5


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3), (40, 40)])
def test_an_image_without_text_says_nothing(reader, shape, capfd, caplog):
    with caplog.at_level(logging.DEBUG):
        assert reader.read(np.full((*shape, 3), 127, np.uint8)) == []
    assert not caplog.records
    assert "".join(capfd.readouterr()) == ""


def test_nothing_is_fetched(sign, monkeypatch, capfd):
    def refuse(*_: object) -> None:
        raise AssertionError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert TextReader().read(sign[0])
    assert "".join(capfd.readouterr()) == ""


def test_only_the_largest_lines_are_recognised_from_top_to_bottom():
    picture = Pillow.new("RGB", (400, 300), "navy")
    pen = ImageDraw.Draw(picture)
    for y, text, size in ((20, "WATER", 48), (110, "small print", 14), (200, "LEMON", 40)):
        pen.text((60, y), text, "white", ImageFont.load_default(size))
    lines = TextReader(most=2).read(np.asarray(picture))
    assert [line.text for line in lines] == ["WATER", "LEMON"]
    assert len(TextReader().read(np.asarray(picture))) == 3
