"""The way to Milvus, a vector engine of its own: no call waits without end, and none while it is known to be away."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import grpc
from pymilvus import MilvusClient, MilvusException

from retrieval.errors import StoreAway

T = TypeVar("T")

PAUSE = 5.0
"""Seconds for which an engine that did not answer is not asked again."""
PROBE = 1.0
"""Seconds that whoever asks first after that waits to see whether it is back."""
CHANNEL = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.use_local_subchannel_pool": 1,
}
"""Else gRPC waits up to two minutes before it looks whether a server is back, new connections as well."""
SILENT = (
    "Milvus (BOXFIND_MILVUS_URI), where the vectors are searched, does not answer; everything works again when it does."
)
IN_USE = (
    "The file of Milvus (BOXFIND_MILVUS_URI) cannot be opened. One process at a time can have it: stop the other one, "
    "a page or a build, or let both use a server (docs/milvus.md)."
)
REFUSED = (
    "Milvus (BOXFIND_MILVUS_URI) does not accept BOXFIND_MILVUS_TOKEN; set the one that its operator has given out."
)

for name in ("pymilvus", "milvus_lite", "grpc._server"):
    logging.getLogger(name).setLevel(logging.CRITICAL)  # what they log also comes as an exception, and is said once


@dataclass(frozen=True, slots=True)
class Access:
    """Where the engine is, how it is searched, and what to do while it is away."""

    uri: str
    """A file that ends in .db, for milvus-lite in this process, or the address of a server."""
    token: str = field(default="", repr=False)
    index: str = "FLAT"
    timeout: float = 5.0
    """Seconds a call may take, and with what is tried again at most twice that."""
    fallback: bool = False
    """Whether vectors are searched on this machine meanwhile."""

    @property
    def file(self) -> Path | None:
        return Path(self.uri) if self.uri.endswith(".db") else None


class Milvus:
    """A connection that is made when it is needed, and again when it was lost. Many threads may share it."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.trouble = ""
        """Why the engine cannot be asked at present; empty when it can, or nobody has tried."""
        self.failures = 0
        """How often it was lost: what it was told before may have to be told again."""
        self._client: MilvusClient | None = None
        self._again = 0.0
        self._lock = threading.Lock()
        self._asked = threading.local()

    def ask(self, work: Callable[[MilvusClient], T]) -> T:
        """What the work makes of the connection. Raises StoreAway, at once for some seconds after it was lost."""
        client = self.reach()
        self._asked.until = time.monotonic() + self.access.timeout
        try:
            return work(client)
        except (MilvusException, grpc.RpcError, StoreAway) as error:
            raise self._lost(error) from None

    def reach(self) -> MilvusClient:
        """The connection, to an engine that answered when it was last asked. Raises StoreAway."""
        with self._lock:  # whoever comes while another tries shares what that one finds
            if self.trouble and time.monotonic() < self._again:
                raise StoreAway(self.trouble)
            if self._client is None or self.trouble:
                self._asked.until = time.monotonic() + PROBE
                try:
                    self._client = self._client or self._connect()
                    self._client.get_server_version(timeout=PROBE)
                except (MilvusException, grpc.RpcError) as error:
                    raise self._lost(error) from None
                self.trouble = ""
            return self._client

    def is_away(self) -> bool:
        """Whether it was lost, and is not back yet; one that answered last is believed to be there.

        While another thread tries whether it is back, this does not wait for that.
        """
        if self.trouble and not self._lock.locked():
            with contextlib.suppress(StoreAway):
                self.reach()
        return bool(self.trouble)

    def _connect(self) -> MilvusClient:
        if self.access.file:
            self.access.file.parent.mkdir(parents=True, exist_ok=True)
        client = MilvusClient(
            self.access.uri,
            token=self.access.token,
            timeout=self.access.timeout,
            dedicated=True,
            grpc_options=CHANNEL,
        )
        # In place of its own recovery, which connects anew under one lock: each thread would wait for those before it.
        client._handler._on_rpc_error = self._try_again
        return client

    def _try_again(self, error: Exception) -> bool:
        """Called by the client, which pauses longer and longer, before it tries again; raises when that is enough."""
        if time.monotonic() > self._asked.until:
            raise error
        return False

    def _lost(self, error: Exception) -> StoreAway:
        self.trouble, self._again = self._sentence(error), time.monotonic() + PAUSE
        self.failures += 1
        return StoreAway(self.trouble)

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, StoreAway):
            return str(error)
        if self._client is None and self.access.file:
            return IN_USE
        cause = error.__cause__ if isinstance(error, MilvusException) else error
        code = cause.code() if isinstance(cause, grpc.RpcError) else getattr(error, "code", None)
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            return REFUSED
        if isinstance(code, grpc.StatusCode):
            return SILENT
        return (
            f"Milvus (BOXFIND_MILVUS_URI) answered with an error: {str(getattr(error, 'message', error)).rstrip('.')}."
        )
