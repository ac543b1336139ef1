"""The Milvus collection of one generation: fill, check and search it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt

import numpy as np
from pymilvus import DataType, MilvusClient, MilvusException

from index.milvus.client import Milvus
from retrieval.errors import StoreUnavailable, pick
from retrieval.types import Progress, Rows, Vectors

BATCH_BYTES = 4 * 1024**2
"""Bytes of vectors per insert; servers limit a message to 64 MB."""
LOAD_TIMEOUT = 600.0
"""Timeout in seconds for flushing, indexing or loading a collection."""
SAMPLES = 8
"""Vectors searched to check a collection."""
ALIKE = 0.999
"""Minimum cosine of a sample vector and its first hit, which may be a copy of the same picture."""
ROW, VECTOR = "row", "vector"
UNFINISHED = "Milvus (BOXFIND_MILVUS_URI) does not have all vectors of this index; run a build to copy them."


@dataclass(frozen=True, slots=True)
class IndexType:
    """Parameters of a Milvus index type."""

    build: Callable[[int], dict[str, int]]
    """Number of rows -> build parameters."""
    search: Callable[[int, int], dict[str, int]]
    """Number of rows, number of results -> search parameters."""


INDEX_TYPES = {
    "FLAT": IndexType(lambda rows: {}, lambda rows, count: {}),
    "IVF_FLAT": IndexType(lambda rows: {"nlist": _cells(rows)}, lambda rows, count: {"nprobe": -(-_cells(rows) // 8)}),
    "HNSW": IndexType(lambda rows: {"M": 32, "efConstruction": 200}, lambda rows, count: {"ef": max(2 * count, 128)}),
}
"""`FLAT` is exact, the others are approximate."""


class Collection:
    """The collection of a generation's vectors (N, D), keyed by row. Methods raise StoreUnavailable."""

    def __init__(self, milvus: Milvus, name: str, vectors: Vectors) -> None:
        self.name, self.fallback = name, milvus.access.fallback
        self._milvus, self._vectors, self._timeout = milvus, vectors, milvus.access.timeout
        self._kind = pick(INDEX_TYPES, "index of Milvus", milvus.access.index)
        self._loaded = -1

    def search(self, query: Vectors, count: int, among: range) -> Rows:
        """The nearest rows (K,) to query (D,) according to Milvus, K <= count."""
        with self._milvus.client() as client:
            return self._search(client, query[None], count, among)[0]

    def is_complete(self, properties: Mapping[str, str]) -> bool:
        """Whether the collection has these properties and all vectors, and finds sample vectors."""
        with self._milvus.client() as client:
            if not client.has_collection(self.name, timeout=self._timeout):
                return False
            stored = client.describe_collection(self.name, timeout=self._timeout)["properties"]
            if any(stored.get(name) != value for name, value in properties.items()):
                return False
            if not client.list_indexes(self.name, timeout=self._timeout):
                return False  # filling was interrupted
            client.load_collection(self.name, timeout=LOAD_TIMEOUT)
            return self._count(client) == len(self._vectors) and self._finds_samples(client)

    def fill(self, properties: Mapping[str, str], progress: Progress) -> None:
        """Create the collection, insert all vectors and build the index. The collection must not exist."""
        total = len(self._vectors)
        progress("Copying vectors to Milvus", 0, total)
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(ROW, DataType.INT64, is_primary=True)
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=self._vectors.shape[1])
        with self._milvus.client() as client:
            client.create_collection(self.name, schema=schema, properties=dict(properties), timeout=self._timeout)
        size = max(1, BATCH_BYTES // self._vectors[:1].nbytes)
        for start in range(0, total, size):
            rows = range(start, min(start + size, total))
            self._insert(rows)
            progress("Copying vectors to Milvus", rows.stop, total)
        progress("Building the Milvus index", 0, 0)
        index = MilvusClient.prepare_index_params()
        parameters = {"params": self._kind.build(total)}  # milvus-lite only reads them nested
        index.add_index(VECTOR, index_type=self._milvus.access.index, metric_type="IP", params=parameters)
        with self._milvus.client() as client:
            client.flush(self.name, timeout=LOAD_TIMEOUT)
            client.create_index(self.name, index, timeout=LOAD_TIMEOUT)

    def drop(self) -> None:
        """Drop the collection if it exists."""
        with self._milvus.client() as client:
            drop(client, self.name, self._timeout)

    def serve_as(self, alias: str) -> None:
        """Point the alias at this collection, atomically."""
        with self._milvus.client() as client:
            try:
                client.alter_alias(self.name, alias, timeout=self._timeout)
            except MilvusException:  # the alias does not exist yet
                client.create_alias(self.name, alias, timeout=self._timeout)

    def _insert(self, rows: range) -> None:
        data = [{ROW: row, VECTOR: self._vectors[row]} for row in rows]
        with self._milvus.client() as client:
            client.insert(self.name, data, timeout=self._timeout)

    def _search(self, client: MilvusClient, queries: Vectors, count: int, among: range) -> list[Rows]:
        """queries (Q, D) -> the nearest rows of each."""
        self._load(client)
        some = len(among) < len(self._vectors)
        found = client.search(
            self.name,
            data=list(queries),
            filter=f"{ROW} >= {among.start} and {ROW} < {among.stop}" if some else "",
            limit=count,
            output_fields=[ROW],
            search_params={"params": self._kind.search(len(self._vectors), count)},
            timeout=self._timeout,
        )
        return [np.array([hit[ROW] for hit in hits], np.int64) for hits in found]

    def _load(self, client: MilvusClient) -> None:
        """Load the collection into memory, once and after each failure. Raises StoreUnavailable if it is incomplete."""
        failures = self._milvus.failures
        if self._loaded == failures:
            return
        if not client.has_collection(self.name, timeout=self._timeout):
            raise StoreUnavailable(UNFINISHED)
        client.load_collection(self.name, timeout=self._timeout)  # after a timeout loading continues in Milvus
        if self._count(client) != len(self._vectors):
            raise StoreUnavailable(UNFINISHED)
        self._loaded = failures

    def _count(self, client: MilvusClient) -> int:
        counted = client.query(self.name, output_fields=["count(*)"], consistency_level="Strong", timeout=self._timeout)
        return int(counted[0]["count(*)"])

    def _finds_samples(self, client: MilvusClient) -> bool:
        rows = np.unique(np.linspace(0, len(self._vectors) - 1, SAMPLES).astype(int))
        stored = client.get(self.name, ids=rows.tolist(), output_fields=[ROW, VECTOR], timeout=self._timeout)
        vectors = {entity[ROW]: np.array(entity[VECTOR], np.float32) for entity in stored}
        if not all(row in vectors and np.array_equal(vectors[row], self._vectors[row]) for row in rows.tolist()):
            return False
        found = self._search(client, self._vectors[rows], 1, range(len(self._vectors)))
        similar = [
            len(first) > 0 and float(self._vectors[row] @ self._vectors[first[0]]) > ALIKE
            for row, first in zip(rows, found, strict=True)
        ]
        return sum(similar) > len(rows) / 2


def drop(client: MilvusClient, name: str, timeout: float) -> None:
    """Drop a collection if it exists. Its aliases go first: a server does not drop a collection with an alias."""
    if not client.has_collection(name, timeout=timeout):
        return
    for alias in client.list_aliases(name, timeout=timeout)["aliases"]:
        client.drop_alias(alias, timeout=timeout)
    client.drop_collection(name, timeout=timeout)


def _cells(rows: int) -> int:
    return min(max(isqrt(rows), 1), 65_536)
