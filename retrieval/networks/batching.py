"""Batch the images of many threads into single network calls, for GPU efficiency."""

import threading
from collections import defaultdict, deque
from concurrent.futures import Future

import numpy as np

from retrieval.types import Layers, Pixels, Run

Waiting = tuple[Pixels, "Future[Layers]"]


class Batches:
    """Wrap a Run: when the network is free, all waiting images of one shape go in as one batch of at most `most`.

    Images never wait for a batch to fill; the next batch gathers while one is computed. Two threads alternate, so that
    one batch is copied while the other is computed.
    """

    def __init__(self, run: Run, most: int, threads: int = 2) -> None:
        self._run, self._most = run, most
        self._waiting: defaultdict[tuple[int, ...], deque[Waiting]] = defaultdict(deque)
        self._arrived = threading.Condition()
        for _ in range(threads):
            threading.Thread(target=self._serve, daemon=True).start()

    def __call__(self, pixels: Pixels) -> Layers:
        """(N, H, W, 3) -> one feature map (N, C, h, w) per layer. Raises any error of the network."""
        answer: Future[Layers] = Future()
        with self._arrived:
            self._waiting[pixels.shape[1:]].append((pixels, answer))
            self._arrived.notify()
        return answer.result()

    def _serve(self) -> None:
        while True:
            batch = self._next_batch()
            try:
                layers = self._run(np.concatenate([pixels for pixels, _ in batch]))
            except Exception as error:
                for _, answer in batch:
                    answer.set_exception(error)
                continue
            start = 0
            for pixels, answer in batch:
                answer.set_result(tuple(layer[start : start + len(pixels)] for layer in layers))
                start += len(pixels)

    def _next_batch(self) -> list[Waiting]:
        """The next batch: the oldest waiting images of the most common shape."""
        with self._arrived:
            self._arrived.wait_for(lambda: any(self._waiting.values()))
            queue = max(self._waiting.values(), key=len)
            return [queue.popleft() for _ in range(min(len(queue), self._most))]
