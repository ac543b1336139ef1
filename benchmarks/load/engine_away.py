"""Load test during an outage: the vector engine (milvus-lite in its own process) is killed and restarted."""

import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.server_and_clients import CLIENTS, STARTING, Alone, Response, free_port, p95, serving, wait_until
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.settings import Settings
from boxfind.stores import preparation, publisher_for
from index.storage.generation import current_folder

AWAY = 8.0
"""Seconds from the kill to the restart of the engine."""
ALONE = 20
"""Searches of a single client before and after the outage."""


@dataclass(frozen=True, slots=True)
class Outage:
    """All responses, from the first concurrent search to the last."""

    before: Alone
    answers: list[Response]
    started: float
    """Time of the restart of the engine, by `perf_counter`."""
    after: Alone
    """The searches of `before`, repeated after the outage."""
    timeout: float
    """Timeout of a call to the engine, in seconds."""

    @property
    def hits(self) -> list[Response]:
        return [answer for answer in self.answers if answer.status == 200]

    @property
    def refusals(self) -> list[Response]:
        """Responses 503 with Retry-After."""
        return [answer for answer in self.answers if answer.status == 503 and answer.again]

    @property
    def others(self) -> list[Response]:
        """All other responses; expected to be empty."""
        return [answer for answer in self.answers if answer not in self.hits and answer not in self.refusals]

    @property
    def slowest(self) -> float:
        return max(answer.seconds for answer in self.answers)

    @property
    def longest(self) -> float:
        """Upper bound of a search in seconds: its queue, in which one search may wait for two timeouts."""
        return self.before.bound + 2 * self.timeout

    @property
    def same_hits(self) -> bool:
        return [answer.text for answer in self.before.answers] == [answer.text for answer in self.after.answers]

    @property
    def back(self) -> float:
        """Seconds from the restart of the engine to the first hits."""
        return min(answer.at for answer in self.hits if answer.at > self.started) - self.started


class MilvusLite:
    """A milvus-lite server that can be killed and restarted on the same data and port."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Start the server without waiting until it listens."""
        where = ["--data-dir", str(self._folder), "--host", "127.0.0.1", "--port", str(self._port)]
        command = [sys.executable, "-m", "milvus_lite", "server", *where]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self) -> None:
        """Wait until the server listens."""
        wait_until(self._listens, "milvus-lite did not start. Install the extra milvus if it is missing.")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _listens(self) -> bool:
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", self._port)) == 0


def kill_the_engine(
    gallery: Path, index: Path, scratch: Path, queries: Sequence[BoxedQuery], searches: int, timeout: float = 5.0
) -> Outage:
    """All clients run `searches` searches each; after a third of them the engine is killed, and then restarted.

    Clients repeat a refused search after the time that the refusal gives. The API keeps running.
    """
    engine = MilvusLite(scratch / "engine")
    try:
        engine.wait()
        _fill(engine, index)
        settings = {"BOXFIND_STORE": "milvus", "BOXFIND_MILVUS_URI": engine.uri, "BOXFIND_MILVUS_TIMEOUT": str(timeout)}
        with serving(gallery, index, scratch / "data", settings) as server:
            server.ask_alone(queries[:ALONE])
            before = server.ask_alone(queries[:ALONE])
            with server.asked_by_all(queries, searches) as answers:
                third = CLIENTS * searches // 3
                one_by_one = third * p95(before.seconds)
                wait_until(lambda: len(answers) > third, "The clients get no answers.", STARTING + 4 * one_by_one)
                engine.kill()
                time.sleep(AWAY)
                engine.start()
                started = time.perf_counter()
            after = server.ask_alone(queries[:ALONE])
    finally:
        engine.kill()
    return Outage(before, answers, started, after, timeout)


def _fill(engine: MilvusLite, index: Path) -> None:
    """Upload the vectors as an update without changes does."""
    settings = Settings.load(index=index, store="milvus", milvus_uri=engine.uri)
    preparation(publisher_for(settings), lambda *_: None)(current_folder(settings.index_dir))
