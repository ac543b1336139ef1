"""Pictures that many threads bring one at a time go through the network together, as a GPU likes them."""

import threading
from collections import defaultdict, deque
from concurrent.futures import Future

import numpy as np

from retrieval.types import Layers, Pixels, Run

Waiting = tuple[Pixels, "Future[Layers]"]


class Batches:
    """A Run over another: what is waiting when the network is free goes in together, if it has one shape.

    Nothing waits for company: while one batch is computed the next gathers by itself. Two threads take turns, so that
    one batch is copied while the other is computed.
    """

    def __init__(self, run: Run, most: int, threads: int = 2) -> None:
        self._run, self._most = run, most
        self._waiting: defaultdict[tuple[int, ...], deque[Waiting]] = defaultdict(deque)
        self._arrived = threading.Condition()
        for _ in range(threads):
            threading.Thread(target=self._serve, daemon=True).start()

    def __call__(self, pixels: Pixels) -> Layers:
        """(N, H, W, 3) -> a feature map (N, C, h, w) a layer. Raises what the network raises."""
        answer: Future[Layers] = Future()
        with self._arrived:
            self._waiting[pixels.shape[1:]].append((pixels, answer))
            self._arrived.notify()
        return answer.result()

    def _serve(self) -> None:
        while True:
            batch = self._next()
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

    def _next(self) -> list[Waiting]:
        """Of the shape that most wait with, those that came first."""
        with self._arrived:
            self._arrived.wait_for(lambda: any(self._waiting.values()))
            queue = max(self._waiting.values(), key=len)
            return [queue.popleft() for _ in range(min(len(queue), self._most))]
