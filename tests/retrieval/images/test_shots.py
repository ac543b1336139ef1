"""Which frames are chosen of samples: sharp ones, no blank ones, none twice, at a certain pace."""

from collections.abc import Iterable

import numpy as np
import pytest

from retrieval.images.shots import SMALL, Pace, Sample, Shots, nearly_equal
from tests.clips import scene

STEP = 0.1


def sample(seconds: float, seed: int, sharpness: float = 10.0, light: float = 1.0) -> Sample[str]:
    small = (scene(seed, SMALL) * light).astype(np.uint8)
    return Sample(seconds, f"{seed} at {seconds}", small, sharpness)


def chosen(samples: Iterable[Sample[str]], pace: Pace | None = None) -> list[str]:
    return [frame for _, frame in Shots().choose(samples, pace or Pace(3.75, 10.0))]


def seconds(count: int) -> list[float]:
    return [round(STEP * place, 2) for place in range(count)]


def test_the_sharpest_frame_of_a_shot():
    samples = [sample(time, 1, sharpness=20 if time == 1.3 else 10) for time in seconds(30)]
    assert chosen(samples) == ["1 at 1.3"]


def test_a_frame_at_the_cut_only_if_there_is_no_other():
    late = [sample(time, 1 if time < 1 else 2, 50 if time == 1 else 10) for time in seconds(20)]
    assert chosen(late) == ["1 at 0.0", "2 at 1.2"]
    assert chosen([sample(0, 1), sample(1, 2), sample(1.1, 3)]) == ["1 at 0", "2 at 1", "3 at 1.1"]


def test_blank_frames_are_never_chosen():
    assert chosen([sample(time, 1, light=0.0, sharpness=99) for time in seconds(10)]) == []


def test_light_makes_no_other_picture():
    cells = [sample(0, 1, light=light).cells() for light in (1.0, 0.5, 0.2)]
    assert nearly_equal(cells[0], np.stack(cells)).all()
    assert not nearly_equal(cells[0], sample(0, 2).cells()[None]).any()


def test_a_new_thing_in_a_small_part_makes_another_picture():
    one, other = sample(0, 1), sample(20, 1)
    other.small[9:18, 16:28] = 255 - other.small[9:18, 16:28]
    assert len(chosen([one, other])) == 2


@pytest.mark.parametrize("cut", [0.3, 1.0, 5.0])
def test_pace_allows_a_few_at_once_and_then_one_each_interval(cut):
    pace = Pace.of(600)
    taken = [time for time in np.arange(0, 600, cut) if pace.allows(float(time))]
    counts = np.histogram(taken, np.arange(0, 601, 60))[0]
    assert counts.max() <= 20
    assert counts.min() >= min(60 / cut, 12)


def test_pictures_of_a_long_video_cover_all_of_it():
    pace = Pace.of(24 * 3600)
    taken = [time for time in range(24 * 3600) if pace.allows(time)]
    assert 1900 < len(taken) <= 2004
    assert taken[-1] > 23.9 * 3600
