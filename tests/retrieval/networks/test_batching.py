"""Images of many threads are batched, and each thread gets its own result."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from retrieval.networks.batching import Batches


class Slow:
    """Doubles its input once the gate is open, and records batch sizes."""

    def __init__(self):
        self.gate, self.sizes = threading.Event(), []

    def __call__(self, pixels):
        assert self.gate.wait(10)
        self.sizes.append(len(pixels))
        maps = 2 * pixels.transpose(0, 3, 1, 2).astype(np.float32)
        return maps, maps[:, :1]


def picture(number, side=4):
    return np.full((1, side, side, 3), number, np.uint8)


def waiting(run):
    with run._arrived:
        return sum(len(queue) for queue in run._waiting.values())


def test_waiting_images_are_batched_and_each_gets_its_own_result():
    slow = Slow()
    run = Batches(slow, most=8, threads=1)
    with ThreadPoolExecutor(21) as pool:
        answers = [pool.submit(run, picture(number, 4 + number % 2)) for number in range(21)]
        while waiting(run) < 13:  # at most eight are already in the network
            pass
        slow.gate.set()
        for number, answer in enumerate(answers):
            coarse, fine = answer.result(10)
            assert coarse.shape == (1, 3, 4 + number % 2, 4 + number % 2) and fine.shape[1] == 1
            assert (coarse == 2 * number).all() and (fine == 2 * number).all()
    assert sum(slow.sizes) == 21 and max(slow.sizes) <= 8
    assert len(slow.sizes) <= 7  # two shapes, eight at a time, and possibly some single ones at the start


def test_call_with_several_images():
    slow = Slow()
    slow.gate.set()
    coarse, _ = Batches(slow, most=8)(np.concatenate([picture(1), picture(2)]))
    assert coarse[:, 0, 0, 0].tolist() == [2, 4]


def test_failure_reaches_only_its_batch():
    def fails_on_zero(pixels):
        if not pixels.all():
            raise ValueError("black")
        return (pixels.astype(np.float32),)

    run = Batches(fails_on_zero, most=4)
    with pytest.raises(ValueError, match="black"):
        run(picture(0))
    assert run(picture(3))[0].max() == 3
