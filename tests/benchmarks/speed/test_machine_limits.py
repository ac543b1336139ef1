"""Limits of the machine."""

import threading
import time

import numpy as np
import pytest

from benchmarks.speed.machine_limits import network_rate, preparing_rates, together


def test_rates_of_consecutive_steps_combine():
    assert together(10, 10) == pytest.approx(5)
    assert together(3) == pytest.approx(3)
    assert together(1e9, 7) == pytest.approx(7)


def test_the_network_runs_every_picture_at_its_size_on_several_threads(gallery):
    shapes, threads = [], set()

    def run(pixels):
        shapes.append(pixels.shape)
        threads.add(threading.get_ident())
        time.sleep(0.05)
        return (np.zeros((1, 1, 1, 1), np.float32),)

    paths = sorted(gallery.glob("*.png"))
    rate = network_rate(run, paths, 64, 2)
    assert set(shapes) == {(1, 64, 64, 3)}  # 128 x 96 at side 64: 48 is rounded up to two cells
    assert len(threads) == 3  # one that prepares, and two workers
    assert 0 < rate <= 40  # two at a time, 20 per second each


def test_decoding_and_keypoints_have_separate_rates(gallery):
    rates = preparing_rates(sorted(gallery.glob("*.png")), 64, 1)
    assert all(np.isfinite(rate) and rate > 1 for rate in rates)
    assert rates[0] != rates[1]
