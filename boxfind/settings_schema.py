"""The groups of settings (build, search, server, Milvus, API) with types, ranges and defaults."""

import ipaddress
import os
import re
import string
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from index.storage import time_limit
from index.storage.gallery_rules import compiled
from index.storage.time_limit import result_within
from retrieval.cpus import cpu_count
from retrieval.errors import GalleryProblem, UnknownName, pick
from retrieval.images.limits import LIMITS, MEGABYTE, SOURCE_LIMITS

SILENT = 60.0
"""Seconds for which a drive that has not answered is not asked again: settings are read often."""
LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def _folder(given: object) -> object:
    if given == "":
        raise ValueError("it is empty; name a folder or unset the variable")
    return given


def utf8_path(path: Path) -> Path:
    """Indexes, logs and pages hold paths as text, which must be valid Unicode. Raises ValueError."""
    try:
        str(resolved(path)).encode()
    except UnicodeEncodeError:
        raise ValueError("its full path contains a name that is not valid UTF-8; rename that folder") from None
    except RuntimeError:  # no home folder; reported where the folder is used
        pass
    return path


def resolved(path: Path) -> Path:
    """The full path, without links; with them if its drive does not answer. Raises RuntimeError without a home folder.

    A drive that has not answered is not asked again for SILENT seconds.
    """
    written = os.path.normpath(path.expanduser().absolute())
    if time.monotonic() - _silent.get(written, -SILENT) < SILENT:
        return Path(written)
    found = result_within(time_limit.ANSWERS, lambda: os.path.realpath(written), otherwise="")
    if not found:
        _silent[written] = time.monotonic()
    return Path(found or written)


_silent: dict[str, float] = {}
"""Paths of drives that have not answered, and when that was."""


def _split(given: object) -> object:
    """ "a, B" -> ("a", "b")."""
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, Sequence):
        return given
    return tuple(ascii_lower(name.strip()) for name in names if name.strip())


def ascii_lower(name: str) -> str:
    """Replace A to Z by a to z. Other letters stay: to Unicode, ſ and s, or K and the Kelvin sign, are one letter."""
    return name.translate(LOWER)


def _patterns(given: object) -> object:
    """ "*.png, !keep/" -> ("*.png", "!keep/")."""
    patterns = re.split(r"[,\n]", given) if isinstance(given, str) else given
    if not isinstance(patterns, Sequence):
        return given
    return tuple(pattern.strip() for pattern in patterns if pattern.strip())


def _valid_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    try:
        compiled(patterns, "it")
    except GalleryProblem as problem:
        raise ValueError(str(problem).rstrip(".")) from None
    return patterns


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("it must name at least one region source, such as whole")
    return names


def _networks(given: tuple[str, ...]) -> tuple[str, ...]:
    for name in given:
        try:
            ipaddress.ip_network(name)
        except ValueError:
            raise ValueError("it may contain IP addresses and networks, such as 127.0.0.1 or 172.16.0.0/12") from None
    return given


def _matches(pattern: str, what: str) -> AfterValidator:
    def check(given: str) -> str:
        if not re.fullmatch(pattern, given):
            raise ValueError(f"it may contain {what}")
        return given

    return AfterValidator(check)


def known(table: Callable[[], Mapping[str, object]], what: str) -> AfterValidator:
    """Validate a name against a table, which is imported only on first use."""

    def check(name: str) -> str:
        try:
            pick(table(), what, name)
        except UnknownName as error:
            raise ValueError(str(error).rstrip(".")) from None
        return name

    return AfterValidator(check)


def _backbone(name: str) -> str:
    """A name that a library may know; it is looked up there when it is used, which may take seconds."""
    from retrieval.networks.backbones import AUTO, check_name

    try:
        if name != AUTO:
            check_name(name)
    except UnknownName as error:
        raise ValueError(str(error).rstrip(".")) from None
    return name


def runtimes() -> dict[str, object]:
    from retrieval.networks.runtimes import RUNTIMES

    return {"auto": None, **RUNTIMES}


def _region_sources() -> dict[str, object]:
    from retrieval.regions.find_regions import REGIONS
    from retrieval.regions.region_detectors import REGION_DETECTORS

    return {**REGIONS, **REGION_DETECTORS}


def _milvus_uri(given: str) -> str:
    if given and not (given.endswith(".db") or given.startswith(("http://", "https://"))):
        raise ValueError("it must be a file name ending in .db, or start with http:// or https://")
    return given


Folder = Annotated[Path, BeforeValidator(_folder), AfterValidator(utf8_path)]
IgnorePatterns = Annotated[tuple[str, ...], BeforeValidator(_patterns), AfterValidator(_valid_patterns)]
Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Regions = Annotated[
    tuple[Annotated[str, known(_region_sources, "region source")], ...],
    BeforeValidator(_split),
    AfterValidator(_some),
]


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BuildSettings(Group):
    """How an index is built. The recipe fields are explained in retrieval/descriptors/recipe.py."""

    backbone: Annotated[str, AfterValidator(_backbone)] = "auto"
    side: Annotated[int, Field(ge=64, le=4096)] = 640
    regions: Regions = ("whole", "proposals", "grid")
    """Region sources: whole, proposals, grid, detector, sam; comma-separated in the environment."""
    grid_levels: Annotated[int, Field(ge=1, le=10)] = 2
    pooling: Literal["gap", "gem", "mac", "rmac"] = "gem"
    whitening: Literal["learned", "none"] = "learned"
    precision: Literal["auto", "float32", "bfloat16", "float16", "int8"] = "auto"
    """Numeric precision of the network; `int8` needs the extra `int8` and is calibrated on the gallery first."""
    keypoints: Annotated[int, Field(ge=0, le=5000)] = 500
    """Keypoints stored per image for verification, 132 bytes each; with 0, a build takes 30 % less time."""
    tiled_from: Annotated[int, Field(ge=0, le=LIMITS.longest_side)] = 2000
    """Pictures with a longest side of at least this many pixels are also described in tiles."""
    tiles: Annotated[int, Field(ge=1, le=4)] = 2
    """Number of tiles across a picture, and down; with 1, no picture is described in tiles."""
    head: Folder | None = None
    """A projection head made by `boxfind finetune`, used instead of learned whitening."""
    ignore: IgnorePatterns = ()
    """Gitignore patterns of files and folders that are left out; separated by commas or lines in the environment."""
    min_side: Annotated[int, Field(ge=0, le=LIMITS.longest_side)] = 0
    """Pictures whose shorter side has fewer pixels are left out."""
    incomplete: bool = False
    """Index incomplete pictures, which are skipped by default."""
    picture_mb: Annotated[int, Field(ge=1, le=500)] = SOURCE_LIMITS.picture_mb
    """Megabytes of the largest picture that is read. Raw files may have 300, films any size."""
    document_mb: Annotated[int, Field(ge=1, le=100_000)] = SOURCE_LIMITS.document_mb
    """Megabytes of the largest PDF file or archive that is read."""
    pages: Annotated[int, Field(ge=1, le=100_000)] = SOURCE_LIMITS.pages
    """Pages that are read of a document or an archive."""
    frames: Annotated[int, Field(ge=1, le=1_000)] = SOURCE_LIMITS.frames
    """Frames that are read of an animation, evenly spaced; 1 reads the first one only."""
    first_wave: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    """Seconds of reading after which a build serves what it has read so far; 0 serves only the finished index."""
    wave_growth: Annotated[float, Field(ge=1.1, le=100)] = 1.5
    """What a build has added must have grown by this factor before it is served again."""
    text: bool = True
    """Read what is written in pictures, after a build."""
    workers: Annotated[int, Field(ge=1, le=256)] = Field(default_factory=cpu_count)
    """Number of images described in parallel."""
    engine: Literal["local", "ray"] = "local"
    """Where images are described: on this machine, or on a Ray cluster (docs/ray.md)."""
    ray_address: str = ""
    """The head node of a Ray cluster as host:port; if empty, Ray runs on this machine only."""


QUICK: Mapping[str, object] = {"side": 448, "keypoints": 0}
"""What `boxfind build --quick` sets: the settings of a build that costs half the time and some quality."""


class SearchSettings(Group):
    """How an index is searched."""

    query_mode: Literal["crop", "slice"] = "crop"
    """How a box is described: cropped first (crop), or pooled from the feature map of its whole image (slice)."""
    min_similarity: Annotated[float, Field(ge=-1, le=1)] = -1.0
    """Results below this similarity are dropped."""
    fetch_k: Annotated[int, Field(ge=1, le=1_000_000)] = 160
    """Regions in the first vector search; more are fetched until enough images are certain."""
    store: Literal["auto", "flat", "half", "cells", "milvus"] = "auto"
    """Vector store: exact (flat), exact with a float16 scan (half), inverted file (cells), or Milvus (docs/milvus.md).
    A build makes the inverted file for very large galleries, or when this setting is `cells`."""
    score_tie_eps: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Prefer the whole image to its best region if its similarity is lower by no more than this."""


class ServerSettings(Group):
    """Who may build the index from the web page (docs/admin.md)."""

    admin: Literal["nobody", "local", "login", "header"] = "nobody"
    admins: Names = ()
    """E-mail addresses of the administrators for `login` and `header`; comma-separated in the environment."""
    admin_header: Annotated[str, _matches(r"[A-Za-z0-9-]+", "only letters, digits and hyphens")] = "X-Forwarded-Email"
    """For `header`: the request header in which the proxy passes the user's e-mail address."""


class WatchSettings(Group):
    """Whether changes of the gallery folder are noticed and taken in by an update that starts by itself."""

    watch: Literal["auto", "on", "off"] = "auto"
    """`auto` watches for a local administrator, and not on a shared server."""
    watch_settle: Annotated[float, Field(ge=0.1, le=3600)] = 5.0
    """Seconds without a change before an update starts."""
    watch_compare: Annotated[float, Field(ge=0.01, le=1440)] = 5.0
    """Minutes between comparisons of a folder whose changes are not reported, such as one on a network drive."""


class MilvusSettings(Group):
    """Vector search in Milvus (docs/milvus.md)."""

    uri: Annotated[str, AfterValidator(_milvus_uri)] = ""
    """A file name ending in .db (Milvus Lite), or the URL of a server: http://HOST:PORT, https://HOST:PORT."""
    token: SecretStr = SecretStr("")
    index: Literal["FLAT", "IVF_FLAT", "HNSW"] = "FLAT"
    """FLAT is exact; IVF_FLAT and HNSW are approximate and compare fewer vectors."""
    alias: Annotated[
        str, _matches(r"([A-Za-z_]\w{0,99})?", "up to 100 letters, digits and underscores, not starting with a digit")
    ] = ""
    """The Milvus alias of this index; by default derived from the host name and the index folder."""
    fallback: bool = False
    """Search the vectors on this machine while Milvus is unreachable."""
    timeout: Annotated[float, Field(gt=0, le=600)] = 5.0
    """Seconds to wait for an answer from Milvus."""


class ApiSettings(Group):
    """The HTTP API (docs/api.md)."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """The address that `boxfind serve` listens on."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 8502
    hosts: Names = ("localhost", "127.0.0.1", "[::1]")
    """Accepted host names, comma-separated in the environment; `*` accepts any."""
    proxies: Annotated[Names, AfterValidator(_networks)] = ()
    """Addresses or networks of proxies whose X-Forwarded-For is believed."""
    token: SecretStr = SecretStr("")
    """The bearer token for requests that change the gallery; if empty, all of these are refused."""
    rate: Annotated[int, Field(ge=1, le=1_000_000)] = 600
    """Requests per minute and client."""
    upload_mb: Annotated[int, Field(ge=1, le=10_000)] = LIMITS.file_bytes // MEGABYTE
    """Megabytes of the largest file that is accepted."""
    searches: Annotated[int, Field(ge=1, le=256)] = Field(default_factory=lambda: max(cpu_count() // 2, 1))
    """Concurrent searches, each on several cores; a limited number of further searches wait."""
