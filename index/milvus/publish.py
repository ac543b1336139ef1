"""Copy generations to Milvus before they are served, and drop the collections of deleted ones."""

import contextlib
import json
import re
from dataclasses import asdict
from pathlib import Path

from index.milvus.client import Milvus
from index.milvus.collection import Collection, drop
from index.storage.arrays import read_vectors
from index.storage.generation import Generation, generations
from index.storage.manifest import Manifest, read_manifest
from retrieval.errors import IndexProblem, StoreUnavailable
from retrieval.types import Progress


class Publisher:
    """Manages one collection per generation of an index, and an alias for the served one."""

    def __init__(self, milvus: Milvus, alias: str) -> None:
        self.milvus, self._alias = milvus, alias

    def collection(self, generation: Generation) -> Collection:
        return Collection(self.milvus, self._name(generation.folder.name), generation.vectors)

    def publish(self, folder: Path, progress: Progress) -> None:
        """Copy a complete generation to Milvus unless it is there, and point the alias at it.

        A collection that cannot be filled completely is dropped. Raises StoreUnavailable, IndexProblem.
        """
        manifest = read_manifest(folder)
        collection = Collection(self.milvus, self._name(folder.name), read_vectors(folder, manifest.counts.regions))
        properties = _properties(folder.name, manifest)
        if not collection.is_complete(properties):
            try:
                collection.drop()
                collection.fill(properties, progress)
                if not collection.is_complete(properties):
                    raise IndexProblem("Milvus did not store the vectors correctly. Nothing was changed; build again.")
            except BaseException:
                with contextlib.suppress(StoreUnavailable):  # the next build drops it
                    collection.drop()
                raise
        collection.serve_as(self._alias)

    def drop_others(self, index_dir: Path) -> None:
        """Drop the collections of deleted generations. Does nothing if Milvus is unavailable; later calls catch up."""
        keep = {self._name(folder.name) for folder in generations(index_dir)}
        ours = re.compile(rf"{re.escape(self._alias)}_gen_\d{{6,}}_[0-9a-f]{{4}}_[a-z_]+")
        timeout = self.milvus.access.timeout
        with contextlib.suppress(StoreUnavailable), self.milvus.client() as client:
            for name in client.list_collections(timeout=timeout):
                if ours.fullmatch(name) and name not in keep:
                    drop(client, name, timeout)

    def _name(self, generation: str) -> str:
        return f"{self._alias}_{generation.replace('-', '_')}_{self.milvus.access.index.lower()}"


def _properties(generation: str, manifest: Manifest) -> dict[str, str]:
    return {
        "boxfind.generation": generation,
        "boxfind.recipe": json.dumps(asdict(manifest.recipe)),
        "boxfind.images": str(manifest.counts.images),
        "boxfind.regions": str(manifest.counts.regions),
        "boxfind.vectors": manifest.files["vectors.npy"].sha256,
    }
