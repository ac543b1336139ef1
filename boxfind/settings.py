"""Settings from the environment variables BOXFIND_GALLERY, BOXFIND_INDEX, …, with their defaults.

Settings are grouped. An unknown setting or an invalid value raises BadSetting.
"""

import difflib
import hashlib
import os
from collections.abc import Mapping
from functools import cached_property, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, Field, ValidationError

from boxfind.attached_indexes import index_attached_to, indexes_folder
from boxfind.collection_table import CollectionTable, UnreadableTable, index_name
from boxfind.settings_schema import (
    ApiSettings,
    BuildSettings,
    Folder,
    Group,
    MilvusSettings,
    SearchSettings,
    ServerSettings,
    WatchSettings,
    known,
    resolved,
    runtimes,
)
from index.storage.gallery_rules import GalleryRules
from retrieval.descriptors.recipe import Tuning
from retrieval.errors import BoxfindError
from retrieval.images.limits import SourceLimits

if TYPE_CHECKING:
    from index.storage.sources import Reading

PREFIX = "BOXFIND_"
PROJECT = Path(__file__).parents[1]


WITHOUT_VARIABLE = ("tuning", "more_folders", "collection")


class BadSetting(BoxfindError):
    """A setting is unknown or has an invalid value."""


class Settings(Group):
    gallery: Folder | None = None
    """The picture folder; without one, a sample gallery is drawn. See boxfind/collections_served.py."""
    index: Folder | None = None
    """The index folder; by default a folder below `data`, one for each gallery."""
    data: Folder = Field(PROJECT / "data", validate_default=True)
    """The folder for generated files: sample gallery, indexes, converted networks."""
    runtime: Annotated[str, known(runtimes, "runtime")] = "auto"
    offline: bool = False
    """Never download anything."""
    build: BuildSettings = Field(default_factory=BuildSettings)
    search: SearchSettings = Field(default_factory=SearchSettings)
    server: ServerSettings = Field(default_factory=ServerSettings)
    watching: WatchSettings = Field(default_factory=WatchSettings)
    milvus: MilvusSettings = Field(default_factory=MilvusSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    tuning: Tuning = Tuning()
    """Recipe fields that only benchmarks and tests change; they have no environment variables."""
    more_folders: tuple[Folder, ...] = ()
    """The other picture folders of a collection that has several."""
    collection: str = ""
    """The name of the collection in the table; empty for a gallery of the environment, and for the sample."""

    @classmethod
    def load(cls, **given: object) -> Self:
        """Read the environment, then apply the given overrides: side=320, milvus_uri="…". Raises BadSetting."""
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
        """Return a copy with some settings replaced. Raises BadSetting."""
        return self._made(self.flat() | given)

    def flat(self) -> dict[str, object]:
        """Return all values by the names that `load` accepts: "side", "milvus_uri"."""
        return {name: reduce(getattr, place, self) for name, place in PLACES.items()}

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

    @cached_property  # resolving it again would wait for a drive that does not answer
    def gallery_dir(self) -> Path:
        return resolved(self.gallery) if self.gallery else self.sample_folder / "gallery"

    @cached_property
    def index_dir(self) -> Path:
        if self.index:
            return self.index.expanduser().resolve()
        own = indexes_folder(self.data) / index_name([self.gallery_dir])
        return index_attached_to(self.data, self.gallery_dir, own, self._indexes_of_others())

    def _indexes_of_others(self) -> set[str]:
        """The names of the index folders of collections that this gallery does not begin."""
        try:
            listed = CollectionTable(self.data).read()
        except UnreadableTable:  # every list of collections says so
            return set()
        return {one.index.name for one in listed if one.index and one.folders[0] != self.gallery_dir}

    @property
    def gallery_rules(self) -> GalleryRules:
        """What of the gallery folder is left out of the index."""
        data = self.data.expanduser().resolve()
        own = {
            data,
            self.index_dir,
            # of use if the gallery is the data folder itself, which is then not left out
            *(data / name for name in ("indexes", "networks", "removed", "sample", "searches")),
        }
        return GalleryRules(
            ignore=self.build.ignore,
            min_side=self.build.min_side,
            incomplete=self.build.incomplete,
            limits=self.source_limits,
            own_folders=frozenset(own),
            more_folders=self.more_folders,
        )

    @property
    def watches(self) -> bool:
        """Whether the gallery folder is watched."""
        watch = self.watching.watch
        wanted = watch == "on" or (watch == "auto" and self.server.admin == "local")
        return wanted and not self.is_sample

    @property
    def source_limits(self) -> SourceLimits:
        """The limits of files, in the gallery and of queries."""
        build = self.build
        return SourceLimits(build.picture_mb, build.document_mb, build.pages, build.frames)

    @property
    def reading(self) -> "Reading":
        """How the pictures of files are read, in the gallery and of queries."""
        from index.storage.sources import Reading  # imports the decoders, which most commands do not need

        return Reading(self.source_limits, self.build.incomplete)

    @property
    def removed_dir(self) -> Path:
        """The folder that removed gallery images are moved to."""
        return self.data / "removed"

    @property
    def searches_file(self) -> Path:
        """The database of saved searches, outside the index folder because it outlives the index."""
        name = hashlib.sha256(bytes(self.index_dir)).hexdigest()[:8]
        return self.data / "searches" / f"{self.index_dir.name}-{name}.sqlite"


def _places() -> dict[str, tuple[str, ...]]:
    """Map variable names without BOXFIND_ to attribute paths: "milvus_uri" -> ("milvus", "uri")."""
    groups = {"build": "", "search": "", "server": "", "watching": "", "milvus": "milvus_", "api": "api_"}
    places: dict[str, tuple[str, ...]] = {
        name: (name,) for name in Settings.model_fields if name not in (*groups, *WITHOUT_VARIABLE)
    }
    for group, prefix in groups.items():
        model = Settings.model_fields[group].annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        places |= {f"{prefix}{field}": (group, field) for field in model.model_fields}
    return places


VARIABLES = _places()
"""The settings that have an environment variable."""
REMOVED = {"query_side", "query_views", "distinct", "fine", "dimensions"}
"""Settings of 0.3.0 that only benchmarks changed."""
PLACES = (
    VARIABLES
    | {name: ("tuning", name) for name in Tuning.__dataclass_fields__}
    | {name: (name,) for name in ("more_folders", "collection")}
)


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _unknown(name: str) -> str:
    if name in REMOVED:
        return f"{_variable(name)} is no longer a setting; remove it."
    near = difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.7)
    hint = f"the closest name is {_variable(near[0])}." if near else "docs/settings.md lists all settings."
    return f"Unknown setting {_variable(name)}; {hint}"


def _sentence(error: ValidationError) -> str:
    """Describe the first validation error, with the variable that sets the value."""
    first = error.errors()[0]
    place = tuple(str(part) for part in first["loc"])
    name = next((name for name, where in PLACES.items() if where == place[: len(where)]), ".".join(place))
    what = first["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
    secret = "token" in name or name == "milvus_uri"  # an address may contain a password
    shown = "" if secret else f" cannot be {str(first['input'])!r}"
    return f"{_variable(name)}{shown or ' cannot be used'}: {what[0].lower()}{what[1:]}."
