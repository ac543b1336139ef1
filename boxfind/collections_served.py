"""The collections of this process: the gallery that is given, or those of the table, and the sample."""

from pathlib import Path

from boxfind.collection_table import (
    DEFAULT,
    SAMPLE,
    Collection,
    CollectionTable,
    UnreadableTable,
    same_name,
    unknown,
)
from boxfind.settings import Settings


class ServedCollections:
    """The first one is served if none is asked for; it is also called "default".

    With BOXFIND_GALLERY or BOXFIND_INDEX, that gallery comes first. Without them, the sample gallery comes last, as
    long as it is the only one or has an index.
    """

    def __init__(self, settings: Settings) -> None:
        """`settings` come from the environment and the command line."""
        self.settings = settings
        self.table = CollectionTable(settings.data)

    @property
    def is_given(self) -> bool:
        return bool(self.settings.gallery or self.settings.index)

    def all(self) -> list[Collection]:
        """Return at least one collection. Raises UnreadableTable, unless there is a gallery that is given."""
        try:
            listed = list(self.table.read())
        except UnreadableTable:
            if self.is_given:  # it does not need the table; pages and commands that list collections report the damage
                return [self._given]
            raise
        if self.is_given:
            mine = self.settings.index_dir.resolve()
            same = [collection for collection in listed if collection.index == mine]
            return [*(same or [self._given]), *(collection for collection in listed if collection not in same)]
        sample = Collection(SAMPLE, ())
        has_index = (self.settings_of(sample).index_dir / "CURRENT").exists()
        return [*listed, sample] if has_index or not listed else listed

    def find(self, name: str = "") -> Collection:
        """Return the collection with this name, or the first one. Raises CollectionsProblem."""
        if not name or same_name(name, DEFAULT):
            return self.all()[0]
        collections = self.all()
        for collection in collections:
            if same_name(collection.name, name):
                return collection
        raise unknown(name, [collection.name for collection in collections])

    def settings_of(self, collection: Collection) -> Settings:
        """Return the settings with which a collection is built and searched."""
        if collection == self._given:
            return self.settings
        alone = self.settings.changed(gallery=None, index=None, milvus_alias="")
        if not collection.folders:
            return alone
        return alone.changed(
            gallery=collection.folders[0],
            more_folders=collection.folders[1:],
            index=collection.index,
            ignore=(*self.settings.build.ignore, *collection.excluded),
            collection=collection.name,
        )

    @property
    def _given(self) -> Collection:
        folders: tuple[Path, ...] = () if self.settings.is_sample else (self.settings.gallery_dir,)
        return Collection(DEFAULT, folders)
