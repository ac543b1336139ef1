"""Milvus for tests: a milvus-lite file, or a server that can be stopped and restarted. Imported lazily."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from index.milvus.client import Milvus
    from index.milvus.collection import Collection

NAMES = count()


@contextmanager
def lite_file(file: Path) -> "Iterator[Milvus]":
    from milvus_lite.server_manager import server_manager_instance

    from index.milvus.client import Access, Milvus

    try:
        yield Milvus(Access(str(file)))
    finally:
        server_manager_instance.release_server(str(file))


def filled_collection(milvus: "Milvus", vectors: np.ndarray) -> "Collection":
    """Create a new collection with these vectors."""
    from index.milvus.collection import Collection

    collection = Collection(milvus, f"table_{next(NAMES)}", vectors)
    collection.fill({}, lambda *_: None)
    return collection


class LiteServer:
    """milvus-lite on a local port."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, 0
        self.start()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        from milvus_lite.adapter.grpc.server import start_server_in_thread

        self._server, self._database, self._port = start_server_in_thread(str(self._folder), port=self._port)

    def stop(self) -> None:
        self._server.stop(grace=None).wait()
        self._database.close()
