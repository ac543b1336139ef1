"""The same load while the vector engine is killed and comes back: milvus-lite, a process of its own."""

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
"""Seconds until the engine is started again."""
ALONE = 20
"""Searches of one client before and after that."""


@dataclass(frozen=True, slots=True)
class Outage:
    """What the clients were told, from the first of their searches to the last."""

    before: Alone
    answers: list[Response]
    started: float
    """When the engine was started again, by the clock `perf_counter`."""
    after: Alone
    """The same searches as before."""
    timeout: float
    """Seconds that the engine may take to answer."""

    @property
    def hits(self) -> list[Response]:
        return [answer for answer in self.answers if answer.status == 200]

    @property
    def refusals(self) -> list[Response]:
        """Those that say when to come back."""
        return [answer for answer in self.answers if answer.status == 503 and answer.again]

    @property
    def others(self) -> list[Response]:
        """There must be none."""
        return [answer for answer in self.answers if answer not in self.hits and answer not in self.refusals]

    @property
    def slowest(self) -> float:
        return max(answer.seconds for answer in self.answers)

    @property
    def longest(self) -> float:
        """Seconds that a search may take: those of its queue, and one search in it may wait twice for the engine."""
        return self.before.bound + 2 * self.timeout

    @property
    def same_hits(self) -> bool:
        return [answer.text for answer in self.before.answers] == [answer.text for answer in self.after.answers]

    @property
    def back(self) -> float:
        """Seconds from the start of the engine to the first hits."""
        return min(answer.at for answer in self.hits if answer.at > self.started) - self.started


class MilvusLite:
    """An engine that can be killed, and started again where it was."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Does not wait until it listens."""
        where = ["--data-dir", str(self._folder), "--host", "127.0.0.1", "--port", str(self._port)]
        command = [sys.executable, "-m", "milvus_lite", "server", *where]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self) -> None:
        """Until it listens."""
        wait_until(self._listens, "milvus-lite does not start; is the extra milvus installed?")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _listens(self) -> bool:
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", self._port)) == 0


def kill_the_engine(
    gallery: Path, index: Path, scratch: Path, queries: Sequence[BoxedQuery], searches: int, timeout: float = 5.0
) -> Outage:
    """All clients search, so often each; when a third of that is done the engine goes, and some seconds later it comes.

    What is not answered is asked again when the refusal says so; the API runs all the time.
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
                wait_until(lambda: len(answers) > third, "The clients are not answered.", STARTING + 4 * one_by_one)
                engine.kill()
                time.sleep(AWAY)
                engine.start()
                started = time.perf_counter()
            after = server.ask_alone(queries[:ALONE])
    finally:
        engine.kill()
    return Outage(before, answers, started, after, timeout)


def _fill(engine: MilvusLite, index: Path) -> None:
    """As a build does that finds nothing new."""
    settings = Settings.load(index=index, store="milvus", milvus_uri=engine.uri)
    preparation(publisher_for(settings), lambda *_: None)(current_folder(settings.index_dir))
