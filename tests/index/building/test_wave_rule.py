"""When waves come: early, rarely, and never so that a build takes more than a tenth longer."""

from itertools import pairwise

import pytest

from index.building.wave_rule import Reading, WaveRule, WaveTimes


def simulate(seconds: float, pictures: int, cost: float) -> list[tuple[float, int]]:
    """Read `pictures` in `seconds`, and return when waves came, and with how many pictures.

    A wave takes `cost` seconds for each of its pictures.
    """
    rule, spent, waves = WaveRule(WaveTimes()), 0.0, []
    for read in range(1, pictures + 1):
        now = seconds * read / pictures + spent
        reading = Reading(now, read, pictures - read, read, read)
        if rule.is_due(reading):
            rule.record(reading, cost * read, True)
            spent += cost * read
            waves.append((now, read))
    return waves


def test_the_first_wave_comes_after_thirty_seconds_and_later_ones_when_the_pictures_have_grown():
    waves = simulate(3600, 100_000, cost=0.0001)
    assert 30 <= waves[0][0] < 31 and len(waves) > 8
    grown = [later[1] / before[1] for before, later in pairwise(waves)]
    assert min(grown) > 1.5 and grown[0] < 1.6


@pytest.mark.parametrize("cost", [0.0001, 0.001, 0.01, 0.05])
@pytest.mark.parametrize("seconds", [61, 300, 3600, 86_400])
def test_all_waves_take_at_most_a_tenth_of_the_build(seconds: float, cost: float):
    pictures = int(seconds * 20)
    spent = sum(cost * read for _, read in simulate(seconds, pictures, cost))
    first = cost * 30 * 20  # only measured when it is over
    assert spent <= 0.1 * seconds + first


def test_no_wave_comes_so_late_that_it_does_not_pay():
    assert simulate(59, 1000, cost=0.0001) == []
    assert simulate(300, 6000, cost=0.0001)[-1][0] <= 270
    assert simulate(300, 6000, cost=0.01)[-1][0] < 150


def test_the_time_of_the_last_wave_sets_the_pause():
    rule = WaveRule(WaveTimes())
    rule.record(Reading(30, 600, 10**6, 600, 600), 9.0, True)
    assert not rule.is_due(Reading(128, 3000, 10**6, 3000, 3000))
    assert rule.is_due(Reading(130, 3000, 10**6, 3000, 3000))


def test_an_update_of_a_large_index_waits_until_a_wave_pays():
    """A wave of a million pictures takes many minutes, and the update a few."""
    rule = WaveRule(WaveTimes())
    assert not rule.is_due(Reading(31, 600, 6000, 600, 1_000_600))
    assert rule.is_due(Reading(31, 600, 600_000, 600, 1_000_600))


def test_a_wave_of_an_interrupted_build_counts():
    rule = WaveRule(WaveTimes(), added=600)
    assert not rule.is_due(Reading(40, 200, 10_000, 800, 800))
    assert rule.is_due(Reading(40, 200, 10_000, 901, 901))


def test_a_wave_that_could_not_be_published_is_tried_again_when_the_pictures_have_grown():
    rule = WaveRule(WaveTimes())
    rule.record(Reading(30, 600, 10_000, 600, 600), 0.1, False)
    assert not rule.is_due(Reading(40, 800, 10_000, 800, 800))
    assert rule.is_due(Reading(46, 920, 10_000, 920, 920))


def test_when_all_is_read_the_last_wave_does_not_wait_until_the_pictures_have_grown():
    """Their keypoints are still to be found."""
    rule = WaveRule(WaveTimes())
    rule.record(Reading(200, 4000, 6000, 4000, 4000), 4.0, True)
    last = Reading(250, 5000, 5000, 5000, 5000)
    assert not rule.is_due(last) and rule.is_due(last, all_read=True)
    rule.record(last, 4.0, True)
    assert not rule.is_due(Reading(400, 8000, 2000, 5000, 5000), all_read=True)


def test_a_small_wave_that_learned_a_whitening_does_not_keep_others_from_coming():
    rule = WaveRule(WaveTimes())
    rule.record(Reading(5, 20, 5000, 20, 20), 3.0, True)
    assert rule.is_due(Reading(60, 1000, 4000, 1000, 1000))


def test_once_all_are_described_waves_come_when_the_details_have_grown():
    rule = WaveRule(WaveTimes())
    described = Reading(100, 1000, 1000, 1000, 1000)
    assert rule.is_due(described, all_read=True)
    rule.record(described, 1.0, True)
    assert not rule.is_due(Reading(112, 1000, 1000, 1000, 1000, detailed=0), all_read=True)
    first = Reading(112, 1100, 900, 1000, 1000, detailed=100)
    assert rule.is_due(first, all_read=True) and not rule.is_due(first)
    rule.record(first, 1.0, True)
    assert not rule.is_due(Reading(125, 1150, 850, 1000, 1000, detailed=150), all_read=True)
    assert rule.is_due(Reading(125, 1151, 849, 1000, 1000, detailed=151), all_read=True)
