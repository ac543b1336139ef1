"""Milvus client with bounded timeouts that fails fast while the server is unavailable."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from pymilvus import MilvusClient, MilvusException

from retrieval.errors import StoreUnavailable

PAUSE = 5.0
"""Seconds before a retry after a failed call; calls meanwhile fail at once."""
PROBE = 1.0
"""Timeout in seconds of the first call after that pause."""
CHANNEL = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.use_local_subchannel_pool": 1,
}
"""By default gRPC waits up to two minutes before it reconnects, also for new clients."""
SILENT = (
    "Milvus (BOXFIND_MILVUS_URI) does not answer. Check that its server is running; Boxfind reconnects automatically."
)
IN_USE = (
    "The Milvus file (BOXFIND_MILVUS_URI) cannot be opened. Only one process at a time can use it: stop the other "
    "server or build, or run a Milvus server (docs/milvus.md)."
)
REFUSED = "Milvus (BOXFIND_MILVUS_URI) rejects BOXFIND_MILVUS_TOKEN; ask its operator for a valid token."

for name in ("pymilvus", "milvus_lite", "grpc._server"):
    logging.getLogger(name).setLevel(logging.CRITICAL)  # they also raise what they log


@dataclass(frozen=True, slots=True)
class Access:
    """How to connect to Milvus and search it, and whether to fall back to local search."""

    uri: str
    """A file ending in .db (milvus-lite in this process), or the address of a server."""
    token: str = field(default="", repr=False)
    index: str = "FLAT"
    timeout: float = 5.0
    """Seconds per call; at most twice that including retries."""
    fallback: bool = False
    """Whether to search locally while Milvus is unavailable."""

    @property
    def file(self) -> Path | None:
        return Path(self.uri) if self.uri.endswith(".db") else None


class Milvus:
    """A lazy connection that reconnects after failures. Thread-safe."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.trouble = ""
        """Why Milvus is unavailable; empty if it is available or was not called yet."""
        self.failures = 0
        """Number of failures so far. After a failure collections must be loaded again."""
        self._client: MilvusClient | None = None
        self._retry_at = 0.0
        self._lock = threading.Lock()
        self._deadline = threading.local()

    @contextmanager
    def client(self) -> Iterator[MilvusClient]:
        """The client, for one call. Raises StoreUnavailable if the call fails, and during the pause after a failure."""
        client = self.reach()
        self._deadline.until = time.monotonic() + self.access.timeout
        try:
            yield client
        except (MilvusException, grpc.RpcError, StoreUnavailable) as error:
            raise self._unavailable(error) from None

    def reach(self) -> MilvusClient:
        """The client, reconnected and probed if the last call failed. Raises StoreUnavailable."""
        with self._lock:  # concurrent callers share one probe
            if self.trouble and time.monotonic() < self._retry_at:
                raise StoreUnavailable(self.trouble)
            if self._client is None or self.trouble:
                self._deadline.until = time.monotonic() + PROBE
                try:
                    self._client = self._client or self._connect()
                    self._client.get_server_version(timeout=PROBE)
                except (MilvusException, grpc.RpcError) as error:
                    raise self._unavailable(error) from None
                self.trouble = ""
            return self._client

    def is_unavailable(self) -> bool:
        """Whether Milvus is unavailable. Probes it only if the last call failed, and not while another thread does."""
        if self.trouble and not self._lock.locked():
            with contextlib.suppress(StoreUnavailable):
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
        # Replaces pymilvus' recovery, which reconnects under a lock: threads would wait for each other.
        client._handler._on_rpc_error = self._on_rpc_error
        return client

    def _on_rpc_error(self, error: Exception) -> bool:
        """Called by pymilvus before each retry (with backoff); re-raises the error after the timeout."""
        if time.monotonic() > self._deadline.until:
            raise error
        return False

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        self.trouble, self._retry_at = self._message(error), time.monotonic() + PAUSE
        self.failures += 1
        return StoreUnavailable(self.trouble)

    def _message(self, error: Exception) -> str:
        if isinstance(error, StoreUnavailable):
            return str(error)
        if self._client is None and self.access.file:
            return IN_USE
        cause = error.__cause__ if isinstance(error, MilvusException) else error
        code = cause.code() if isinstance(cause, grpc.RpcError) else getattr(error, "code", None)
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            return REFUSED
        if isinstance(code, grpc.StatusCode):
            return SILENT
        return f"Milvus (BOXFIND_MILVUS_URI) returned an error: {str(getattr(error, 'message', error)).rstrip('.')}."
