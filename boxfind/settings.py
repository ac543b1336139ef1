"""What an operator may decide: environment variables BOXFIND_GALLERY, BOXFIND_INDEX, …, each with its default.

The settings stand in groups. A setting that does not exist, or a value that is out of range, raises BadSetting.
"""

import difflib
import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from retrieval.descriptors.recipe import Tuning
from retrieval.errors import BoxfindError, UnknownName, pick

PREFIX = "BOXFIND_"
PROJECT = Path(__file__).parents[1]


class BadSetting(BoxfindError):
    """A setting does not exist or has a value that cannot be used."""


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


def _known(table: Callable[[], Mapping[str, object]], what: str) -> AfterValidator:
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


def _runtimes() -> dict[str, object]:
    from retrieval.networks.runtimes import RUNTIMES

    return {"auto": None, **RUNTIMES}


def _region_sources() -> dict[str, object]:
    from retrieval.regions.layout import REGIONS
    from retrieval.regions.region_detectors import REGION_DETECTORS

    return {**REGIONS, **REGION_DETECTORS}


def _milvus_uri(given: str) -> str:
    if given and not (given.endswith(".db") or given.startswith(("http://", "https://"))):
        raise ValueError("it must be a file that ends in .db, or begin with http:// or https://")
    return given


def cpus() -> int:
    return os.cpu_count() or 1


Folder = Annotated[Path, BeforeValidator(_folder)]
Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Regions = Annotated[
    tuple[Annotated[str, _known(_region_sources, "region source")], ...],
    BeforeValidator(_split),
    AfterValidator(_some),
]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BuildSettings(_Group):
    """What a new index is built with, and by how many. Fields of the recipe: retrieval/descriptors/recipe.py."""

    backbone: Annotated[str, _known(_backbones, "backbone")] = "auto"
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
    workers: Annotated[int, Field(ge=1, le=256)] = Field(default_factory=cpus)
    """Pictures described side by side."""
    engine: Literal["local", "ray"] = "local"
    """Where pictures are described: on this machine, or on a Ray cluster (docs/ray.md)."""
    ray_address: str = ""
    """The head of a Ray cluster as host:port; without one, Ray runs on this machine alone."""


class SearchSettings(_Group):
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


class ServerSettings(_Group):
    """Who may have the index built from the page: docs/admin.md."""

    admin: Literal["nobody", "local", "login", "header"] = "nobody"
    admins: Names = ()
    """The e-mail addresses that `login` and `header` let in, with commas between them in the environment."""
    admin_header: Annotated[str, _matches(r"[A-Za-z0-9-]+", "only letters, digits and hyphens")] = "X-Forwarded-Email"
    """The header in which the proxy of `header` names the visitor."""


class MilvusSettings(_Group):
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


class ApiSettings(_Group):
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
    searches: Annotated[int, Field(ge=1, le=256)] = Field(default_factory=lambda: max(cpus() // 2, 1))
    """Searches worked on at once, each by several cores; some more wait their turn."""


class Settings(_Group):
    gallery: Folder | None = None
    """The folder of pictures; without one the program draws its own sample gallery."""
    index: Folder | None = None
    """Where the index lies; without one, a folder below `data` that belongs to the gallery."""
    data: Folder = PROJECT / "data"
    """What the program makes for itself: sample gallery, indexes, converted networks."""
    runtime: Annotated[str, _known(_runtimes, "runtime")] = "auto"
    offline: bool = False
    """Never try the network."""
    build: BuildSettings = Field(default_factory=BuildSettings)
    search: SearchSettings = Field(default_factory=SearchSettings)
    server: ServerSettings = Field(default_factory=ServerSettings)
    milvus: MilvusSettings = Field(default_factory=MilvusSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    tuning: Tuning = Tuning()
    """Of the recipe, what only benchmarks and tests change; no environment variable sets it."""

    @classmethod
    def load(cls, **given: object) -> Self:
        """The settings of the environment, with some in their place: side=320, milvus_uri="…". Raises BadSetting."""
        environment = {
            name.upper().removeprefix(PREFIX).lower(): value
            for name, value in os.environ.items()
            if name.upper().startswith(PREFIX)
        }
        for name in environment:
            if name not in VARIABLES:
                raise BadSetting(_unknown(name))
        return cls._made(environment | given)

    def changed(self, **given: object) -> Self:
        """The same settings with others in place of some. Raises BadSetting."""
        same = {name: getattr(_holder(self, place), place[-1]) for name, place in PLACES.items()}
        return self._made(same | given)

    @classmethod
    def _made(cls, values: Mapping[str, object]) -> Self:
        nested: dict[str, Any] = {}
        for name, value in values.items():
            if name not in PLACES:
                raise BadSetting(_unknown(name))
            *group, field = PLACES[name]
            (nested.setdefault(group[0], {}) if group else nested)[field] = value
        try:
            return cls.model_validate(nested)
        except ValidationError as error:
            raise BadSetting(_sentence(error)) from None

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


def _places() -> dict[str, tuple[str, ...]]:
    """Where each setting stands, by the name of its variable without BOXFIND_: "milvus_uri" -> ("milvus", "uri")."""
    groups = {"build": "", "search": "", "server": "", "milvus": "milvus_", "api": "api_"}
    places: dict[str, tuple[str, ...]] = {
        name: (name,) for name in Settings.model_fields if name not in (*groups, "tuning")
    }
    for group, prefix in groups.items():
        model = Settings.model_fields[group].annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        places |= {f"{prefix}{field}": (group, field) for field in model.model_fields}
    return places


VARIABLES = _places()
"""Every setting that the environment may hold."""
PLACES = VARIABLES | {name: ("tuning", name) for name in Tuning.__dataclass_fields__}


def _holder(settings: Settings, place: tuple[str, ...]) -> object:
    return getattr(settings, place[0]) if len(place) > 1 else settings


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.7)
    hint = f"the nearest name is {_variable(near[0])}" if near else "boxfind/settings.py lists all there are"
    return f"There is no setting {_variable(name)}; {hint}."


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong, with the variable that sets it."""
    first = error.errors()[0]
    place = tuple(str(part) for part in first["loc"])
    name = next((name for name, where in PLACES.items() if where == place[: len(where)]), ".".join(place))
    what = first["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
    secret = "token" in name
    shown = "" if secret else f" cannot be {str(first['input'])!r}"
    return f"{_variable(name)}{shown or ' cannot be used'}: {what[0].lower()}{what[1:]}."
