"""What an operator may decide: environment variables BOXFIND_GALLERY, BOXFIND_INDEX, …, each with its default.

The settings stand in groups. A setting that does not exist, or a value that is out of range, raises BadSetting.
"""

import difflib
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, ValidationError

from boxfind.settings_schema import (
    ApiSettings,
    BuildSettings,
    Folder,
    Group,
    MilvusSettings,
    SearchSettings,
    ServerSettings,
    known,
    runtimes,
)
from retrieval.descriptors.recipe import Tuning
from retrieval.errors import BoxfindError

PREFIX = "BOXFIND_"
PROJECT = Path(__file__).parents[1]


class BadSetting(BoxfindError):
    """A setting does not exist or has a value that cannot be used."""


class Settings(Group):
    gallery: Folder | None = None
    """The folder of pictures; without one the program draws its own sample gallery."""
    index: Folder | None = None
    """Where the index lies; without one, a folder below `data` that belongs to the gallery."""
    data: Folder = PROJECT / "data"
    """What the program makes for itself: sample gallery, indexes, converted networks."""
    runtime: Annotated[str, known(runtimes, "runtime")] = "auto"
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
        return self._made(self.flat() | given)

    def flat(self) -> dict[str, object]:
        """The values by the names that `load` takes: "side", "milvus_uri"."""
        return {name: getattr(_holder(self, place), place[-1]) for name, place in PLACES.items()}

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
    hint = f"the nearest name is {_variable(near[0])}" if near else "boxfind/settings_schema.py lists them"
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
