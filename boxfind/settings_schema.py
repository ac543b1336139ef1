"""The groups of settings: what is built, how it is searched, server, Milvus, API. Each value with its range."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from retrieval.cpus import cpu_count
from retrieval.errors import UnknownName, pick


def _folder(given: object) -> object:
    if given == "":
        raise ValueError("it is empty; name a folder or leave the setting out")
    return given


def _split(given: object) -> object:
    """ "a, B" -> ("a", "b")."""
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, Sequence):
        return given
    return tuple(name.strip().casefold() for name in names if name.strip())


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("it must name at least one region source, such as whole")
    return names


def _matches(pattern: str, what: str) -> AfterValidator:
    def check(given: str) -> str:
        if not re.fullmatch(pattern, given):
            raise ValueError(f"it may have {what}")
        return given

    return AfterValidator(check)


def known(table: Callable[[], Mapping[str, object]], what: str) -> AfterValidator:
    """A name of a table, which is imported only when a name is looked up in it."""

    def check(name: str) -> str:
        try:
            pick(table(), what, name)
        except UnknownName as error:
            raise ValueError(str(error).rstrip(".")) from None
        return name

    return AfterValidator(check)


def _backbones() -> dict[str, object]:
    from retrieval.networks.backbones import BACKBONES

    return {"auto": None, **BACKBONES}


def runtimes() -> dict[str, object]:
    from retrieval.networks.runtimes import RUNTIMES

    return {"auto": None, **RUNTIMES}


def _region_sources() -> dict[str, object]:
    from retrieval.regions.find_regions import REGIONS
    from retrieval.regions.region_detectors import REGION_DETECTORS

    return {**REGIONS, **REGION_DETECTORS}


def _milvus_uri(given: str) -> str:
    if given and not (given.endswith(".db") or given.startswith(("http://", "https://"))):
        raise ValueError("it must be a file that ends in .db, or begin with http:// or https://")
    return given


Folder = Annotated[Path, BeforeValidator(_folder)]
Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Regions = Annotated[
    tuple[Annotated[str, known(_region_sources, "region source")], ...],
    BeforeValidator(_split),
    AfterValidator(_some),
]


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BuildSettings(Group):
    """What a new index is built with, and by how many. Fields of the recipe: retrieval/descriptors/recipe.py."""

    backbone: Annotated[str, known(_backbones, "backbone")] = "auto"
    side: Annotated[int, Field(ge=64, le=4096)] = 640
    regions: Regions = ("whole", "proposals", "grid")
    """Where regions come from: whole, proposals, grid, detector, sam; with commas between them in the environment."""
    grid_levels: Annotated[int, Field(ge=1, le=10)] = 2
    pooling: Literal["gap", "gem", "mac", "rmac"] = "gem"
    whitening: Literal["learned", "none"] = "learned"
    precision: Literal["auto", "float32", "bfloat16", "float16", "int8"] = "auto"
    """What the network computes in; `int8` is calibrated on the gallery first and needs the extra int8."""
    keypoints: Annotated[int, Field(ge=0, le=5000)] = 500
    """Kept of each picture for verification, 132 bytes each; without any a build takes seven tenths of the time."""
    head: Folder | None = None
    """A projection head made by `finetune`, in place of a learned whitening."""
    workers: Annotated[int, Field(ge=1, le=256)] = Field(default_factory=cpu_count)
    """Pictures described side by side."""
    engine: Literal["local", "ray"] = "local"
    """Where pictures are described: on this machine, or on a Ray cluster (docs/ray.md)."""
    ray_address: str = ""
    """The head of a Ray cluster as host:port; without one, Ray runs on this machine alone."""


class SearchSettings(Group):
    """How an index is searched."""

    query_mode: Literal["crop", "slice"] = "crop"
    """How a box is described: cut out (crop), or pooled from one pass over its whole picture (slice)."""
    min_similarity: Annotated[float, Field(ge=-1, le=1)] = -1.0
    """Results that are less similar are left out."""
    fetch_k: Annotated[int, Field(ge=1, le=1_000_000)] = 160
    """Regions that a vector search fetches at first; more follow until enough pictures are certain."""
    store: Literal["auto", "flat", "half", "cells", "milvus"] = "auto"
    """How vectors are searched: exactly (flat), exactly from float16 copies (half), in the nearest cells only (cells),
    or in Milvus (docs/milvus.md). A build sorts vectors into cells when they are very many or when this asks for it."""
    score_tie_eps: Annotated[float, Field(ge=0, le=2)] = 0.0
    """The whole picture is outlined when it is less similar than its best region by no more than this."""


class ServerSettings(Group):
    """Who may have the index built from the page: docs/admin.md."""

    admin: Literal["nobody", "local", "login", "header"] = "nobody"
    admins: Names = ()
    """The e-mail addresses that `login` and `header` let in, with commas between them in the environment."""
    admin_header: Annotated[str, _matches(r"[A-Za-z0-9-]+", "only letters, digits and hyphens")] = "X-Forwarded-Email"
    """The header in which the proxy of `header` names the visitor."""


class MilvusSettings(Group):
    """Vectors in Milvus: docs/milvus.md."""

    uri: Annotated[str, AfterValidator(_milvus_uri)] = ""
    """A file that ends in .db, or the address of a server: http://HOST:PORT, https://HOST:PORT."""
    token: SecretStr = SecretStr("")
    index: Literal["FLAT", "IVF_FLAT", "HNSW"] = "FLAT"
    """FLAT is exact; the others find nearly all of the nearest from few of the vectors."""
    alias: Annotated[
        str, _matches(r"([A-Za-z_]\w{0,99})?", "up to 100 letters, digits and underscores, and no digit first")
    ] = ""
    """The name of this index in Milvus; by default made from the names of the machine and the index folder."""
    fallback: bool = False
    """Search the vectors on this machine while Milvus is away."""
    timeout: Annotated[float, Field(gt=0, le=600)] = 5.0
    """Seconds that Milvus may take to answer."""


class ApiSettings(Group):
    """The API for other programs: docs/api.md."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Where it listens when it runs on its own."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 8502
    hosts: Names = ("localhost", "127.0.0.1", "[::1]")
    """The host names it answers to, with commas between them in the environment; `*` for any."""
    token: SecretStr = SecretStr("")
    """What programs that change the gallery have to show; without one, none may."""
    rate: Annotated[int, Field(ge=1, le=1_000_000)] = 600
    """Requests a minute that one client may make."""
    searches: Annotated[int, Field(ge=1, le=256)] = Field(default_factory=lambda: max(cpu_count() // 2, 1))
    """Searches worked on at once, each by several cores; some more wait their turn."""
