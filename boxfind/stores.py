"""Connect an index to Milvus when the settings name it as the vector store."""

import hashlib
import platform
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from boxfind.settings import Settings
from index.storage.publishing import Prepare, no_preparation
from retrieval.errors import IndexProblem, RuntimeMissing
from retrieval.optional_packages import MILVUS, MILVUS_LITE
from retrieval.types import Progress

if TYPE_CHECKING:  # importing it needs pymilvus
    from index.milvus.publish import Publisher


def publisher_for(settings: Settings) -> "Publisher | None":
    """Return the publisher that copies generations to Milvus; None for a local store. Does not connect yet.

    Raises IndexProblem when the URI is not set or the client library is missing.
    """
    if settings.search.store != "milvus":
        return None
    if not settings.milvus.uri:
        raise IndexProblem("BOXFIND_STORE=milvus needs the address of Milvus; set BOXFIND_MILVUS_URI (docs/milvus.md).")
    in_a_file = settings.milvus.uri.endswith(".db")
    try:
        for extra in (MILVUS, MILVUS_LITE) if in_a_file else (MILVUS,):
            extra.check("BOXFIND_STORE=milvus")
    except RuntimeMissing as missing:
        raise IndexProblem(str(missing)) from None
    from index.milvus.client import Access, Milvus
    from index.milvus.publish import Publisher

    access = Access(
        str(Path(settings.milvus.uri).expanduser()) if in_a_file else settings.milvus.uri,
        settings.milvus.token.get_secret_value(),
        settings.milvus.index,
        settings.milvus.timeout,
        settings.milvus.fallback,
    )
    return Publisher(Milvus(access), settings.milvus.alias or _alias(settings.index_dir))


def preparation(publisher: "Publisher | None", progress: Progress) -> Prepare:
    """Return the step that prepares a generation for serving. Raises StoreUnavailable if Milvus is unreachable now."""
    if publisher is None:
        return no_preparation
    publisher.milvus.reach()
    return partial(publisher.publish, progress=progress)


def _alias(index_dir: Path) -> str:
    """Include the host name, so that machines with equal folder names do not drop each other's collections."""
    return f"boxfind_{hashlib.sha256(f'{platform.node()}:{index_dir}'.encode()).hexdigest()[:8]}"
