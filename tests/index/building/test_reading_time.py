"""The time of a build is estimated from a drawn picture, and shown in words that promise no more than it knows."""

from dataclasses import replace

import pytest

from index.building import reading_time as module
from index.building.reading_time import seconds_per_picture
from index.building.update_plan import about, reread_notice


def test_r75_a_picture_is_decoded_and_described(make_embedder):
    shapes = []
    embedder = make_embedder(side=640, keypoints=100)

    def run(pixels):
        shapes.append(pixels.shape)
        return embedder.run(pixels)

    seconds = seconds_per_picture(replace(embedder, run=run), workers=2)
    assert seconds is not None and 0 < seconds < 60 and set(shapes) == {(1, 480, 640, 3)}


def test_r75_a_long_measurement_is_not_repeated(make_embedder, monkeypatch):
    seen = []
    embedder = make_embedder()
    monkeypatch.setattr(module, "LONG", 0.0)
    seconds_per_picture(replace(embedder, run=lambda pixels: seen.append(1) or embedder.run(pixels)), workers=2)
    assert len(seen) == 2


def test_r75_a_detector_with_weights_is_not_timed(make_embedder):
    assert seconds_per_picture(make_embedder(detectors=("", "0" * 64)), workers=1) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "a few seconds"),
        (8, "about 10 s"),
        (44, "about 40 s"),
        (100, "about 2 min"),
        (360, "about 6 min"),
        (5_300, "about 88 min"),
        (9_000, "about 2 h"),
    ],
)
def test_r75_times_are_rounded(seconds, words):
    assert about(seconds) == words


def test_r75_the_notice_gives_the_time_of_what_is_left():
    assert reread_notice(["precision changed from bfloat16 to float32"], 2000, 2000, 0.18) == (
        "All 2,000 pictures are read again, about 6 min: precision changed from bfloat16 to float32."
    )
    assert reread_notice(["a full build was requested"], 2000, 500, 0.1) == (
        "All 2,000 pictures are read again, about 50 s: a full build was requested. "
        "The last build has read 1,500 of them already."
    )
