"""What an operator may decide, each with its default; set as environment variables BOXFIND_GALLERY, BOXFIND_INDEX, …"""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PROJECT = Path(__file__).parents[1]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="BOXFIND_", frozen=True)

    gallery: Path | None = None
    """The folder of pictures; without one the program draws its own sample gallery."""
    index: Path | None = None
    """Where the index lies; without one a folder below `data` that belongs to the gallery."""
    data: Path = PROJECT / "data"
    """What the program makes for itself: sample gallery, indexes, converted networks."""
    backbone: str = "auto"
    runtime: str = "auto"
    offline: bool = False
    """Never try the network."""
    workers: PositiveInt = os.cpu_count() or 1
    """Pictures looked at side by side during a build."""
    engine: str = "local"
    """Where a build looks at pictures: on this machine (local), or on many through Ray (ray): docs/ray.md."""
    ray_address: str = ""
    """The head of a Ray cluster, as host:port; without one a build on Ray starts one of this machine alone."""
    admin: Literal["nobody", "local", "login", "header"] = "nobody"
    """Who may have the index built from the page; docs/admin.md explains the four."""
    admins: Annotated[tuple[str, ...], NoDecode] = ()
    """The e-mail addresses that `login` and `header` let in, with commas between them in the environment."""
    admin_header: str = "X-Forwarded-Email"
    """The header in which the proxy of `header` says who the visitor is."""

    # The API for other programs: docs/api.md.
    api_host: str = "127.0.0.1"
    """Where it listens when it runs on its own."""
    api_port: PositiveInt = 8502
    api_hosts: Annotated[tuple[str, ...], NoDecode] = ("localhost", "127.0.0.1", "[::1]")
    """The names it may be asked by, with commas between them in the environment; `*` for any."""
    api_token: SecretStr = SecretStr("")
    """What programs show that may change the gallery; without one none may."""
    api_rate: PositiveInt = 600
    """Requests a minute that one client may make."""
    api_searches: PositiveInt = max((os.cpu_count() or 1) // 2, 1)
    """Searches that are worked on at once, each by several cores; some more wait their turn."""

    # What a new index is built with. Meaning: retrieval/descriptors/recipe.py; reasons: benchmarks/RESULTS.md.
    side: int = 640
    query_side: int = 280
    query_views: tuple[float, ...] = (0.64, 1.0)
    regions: Annotated[tuple[str, ...], NoDecode] = ("whole", "proposals", "grid")
    """Where regions come from, with commas between the names in the environment: also detector and sam."""
    grid_levels: int = 2
    dedup_similarity: float = 0.95
    pooling: str = "gem"
    mid_layer_weight: float = 0.5
    whitening: Literal["learned", "none"] = "learned"
    dimensions: int = 256
    precision: Literal["auto", "float32", "bfloat16", "float16", "int8"] = "auto"
    """What the network computes in; `int8` is calibrated on the gallery first, and needs the extra int8."""
    keypoints: NonNegativeInt = 500
    """Kept of each picture for verification, 132 bytes each; 0 does without it, in some seven tenths of the time."""
    head: Path | None = None
    """A head made by `finetune`, which takes the place of a learned whitening."""

    # How an index is searched.
    query_mode: str = "crop"
    """How a box is looked at: cut out (crop), or pooled from one pass of its whole picture (slice)."""
    min_similarity: float = -1.0
    """Results that are less similar are left out."""
    fetch_k: PositiveInt = 160
    """Regions that a vector search fetches at first; more follow until enough pictures are sure."""
    store: Literal["auto", "flat", "half", "cells", "milvus"] = "auto"
    """How vectors are searched: all of them (flat), all as float16 at first (half), or only those of the nearest cells
    (cells), which a build sorts them into where they are very many or this is what is asked for; or elsewhere (milvus):
    docs/milvus.md."""
    milvus_uri: str = ""
    """A file that ends in .db, or the address of a server: http://HOST:PORT, https://HOST:PORT."""
    milvus_token: SecretStr = SecretStr("")
    milvus_index: Literal["FLAT", "IVF_FLAT", "HNSW"] = "FLAT"
    """FLAT finds exactly the nearest, the others nearly all of them from few of the vectors."""
    milvus_alias: Annotated[str, Field(pattern=r"^([A-Za-z_]\w{0,99})?$")] = ""
    """The name of this index in Milvus; without one it is made from that of the machine and the folder of the index."""
    milvus_fallback: bool = False
    """Search the vectors on this machine while Milvus is away."""
    milvus_timeout: PositiveFloat = 5.0
    """Seconds that Milvus may take to answer."""
    score_tie_eps: NonNegativeFloat = 0.0
    """Where the whole picture is less similar than its best region by no more than this, it is what is outlined."""

    @field_validator("admins", "api_hosts", "regions", mode="before")
    @classmethod
    def _listed(cls, given: str | Sequence[str]) -> tuple[str, ...]:
        names = given.split(",") if isinstance(given, str) else given
        return tuple(name.strip().casefold() for name in names if name.strip())

    @field_validator("milvus_uri")
    @classmethod
    def _file_or_server(cls, given: str) -> str:
        if given and not (given.endswith(".db") or given.startswith(("http://", "https://"))):
            raise ValueError("it is a file that ends in .db, or begins with http:// or https://")
        return given

    @property
    def sample_folder(self) -> Path:
        return self.data / "sample"

    @property
    def is_sample(self) -> bool:
        return self.gallery is None

    @property
    def gallery_dir(self) -> Path:
        return self.gallery.expanduser().resolve() if self.gallery else self.sample_folder / "gallery"

    @property
    def index_dir(self) -> Path:
        if self.index:
            return self.index.expanduser().resolve()
        readable = re.sub(r"[^a-z0-9]+", "-", self.gallery_dir.name.lower()).strip("-")[:40]
        return self.data / "indexes" / f"{readable}-{hashlib.sha256(bytes(self.gallery_dir)).hexdigest()[:8]}"

    @property
    def removed_dir(self) -> Path:
        """Where pictures go that are taken out of the gallery."""
        return self.data / "removed"

    @property
    def searches_file(self) -> Path:
        """Where saved searches are kept, apart from the index: they outlive it."""
        name = hashlib.sha256(bytes(self.index_dir)).hexdigest()[:8]
        return self.data / "searches" / f"{self.index_dir.name}-{name}.sqlite"
