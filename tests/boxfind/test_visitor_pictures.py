"""Visitors' pictures are decoded in turns, within limits."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from boxfind import visitor_pictures as module
from boxfind.visitor_pictures import VisitorPictures
from index.building import decoder_pool


class SlowPool:
    """Decodes until the test says so, except the picture b"fast"."""

    made: ClassVar[list[tuple]] = []

    def __init__(self, *limits: float, keep_memory: bool) -> None:
        self.made.append(limits)
        self.started = threading.Semaphore(0)
        self.end = threading.Event()

    def decode(self, data: bytes, name: str, pixels: int, **more: object) -> bytes:
        if data != b"fast":
            self.started.release()
            assert self.end.wait(20)
        return data

    def drain(self) -> None:
        self.end.set()


def test_r58_slow_pictures_of_one_client_do_not_keep_others_waiting(monkeypatch):
    monkeypatch.setattr(module, "DecoderPool", SlowPool)
    pictures = VisitorPictures()
    with ThreadPoolExecutor(5) as pool:
        slow = [pool.submit(pictures.read, b"slow", "a.jpg", "192.0.2.1") for _ in range(5)]
        while pictures._pool is None:
            time.sleep(0.001)
        assert pictures._pool.started.acquire(timeout=20)
        assert pictures.read(lambda: b"fast", "b.jpg", "192.0.2.2") == b"fast"
        assert not any(one.done() for one in slow)
        pictures._pool.end.set()


def test_r58_a_visitors_picture_has_a_shorter_limit_than_one_of_a_gallery(monkeypatch):
    monkeypatch.setattr(module, "DecoderPool", SlowPool)
    SlowPool.made.clear()
    VisitorPictures().read(b"fast", "b.jpg")
    ((workers, seconds),) = SlowPool.made
    assert workers >= 2 and seconds <= decoder_pool.SECONDS / 2
