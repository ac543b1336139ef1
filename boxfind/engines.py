"""The engines of a process: one for each collection, made when it is first needed."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from boxfind.collection_table import DEFAULT, Collection, CollectionsProblem, same_name
from boxfind.collections_served import ServedCollections
from boxfind.engine import Engine, Shared
from boxfind.moved_folder import follow, has_index, index_of_moved, names, other_folder_moved_to
from boxfind.settings import Settings
from index.building.read_text import is_reading
from index.gallery import Gallery
from retrieval.errors import BuildRunning, IndexProblem
from retrieval.printable_names import shown


class Engines:
    """Thread-safe. All engines share their networks, decoders and turns."""

    def __init__(self, settings: Settings) -> None:
        """`settings` are those of the environment and the command line."""
        self.settings = settings
        self.collections = ServedCollections(settings)
        self.shared = Shared(settings)
        self._lock = threading.Lock()
        self._engines: dict[Collection, Engine] = {}
        self._watching = False

    def get(self, name: str = "") -> Engine:
        """Return the engine of a collection; without a name, of the first one. Raises CollectionsProblem."""
        return self.of(self.collections.find(name))

    def of(self, collection: Collection) -> Engine:
        """Return the engine of a collection."""
        with self._lock:
            if collection in self._engines:
                return self._engines[collection]
            old = [known for known in self._engines if known.index == collection.index]  # another name or other folders
            replaced = [self._engines.pop(known) for known in old]
            made = self._engines[collection] = Engine(self.collections.settings_of(collection), self.shared)
        for engine in replaced:
            engine.stop_watching()
        if self._watching:
            made.watch()
        return made

    def watch(self) -> None:
        """Watch the folders of all collections if the settings say so, also of those that are added later."""
        self._watching = True
        with suppress(CollectionsProblem):  # every page says so
            for collection in self.collections.all():
                self.of(collection).watch()

    def stop_watching(self) -> None:
        """Stop watching. Safe to call twice."""
        self._watching = False
        with self._lock:
            engines = list(self._engines.values())
        for engine in engines:
            engine.stop_watching()

    def has_moved_to(self, collection: Collection, folder: Path) -> bool:
        """Whether a folder of a collection is gone, and `folder` has its pictures. Takes seconds at most."""
        settings = self.collections.settings_of(collection)
        if not collection.folders or folder in collection.folders:
            return False
        is_first = index_of_moved(settings, folder) == settings.index_dir
        return is_first or other_folder_moved_to(settings, folder) is not None

    def follow(self, collection: Collection, folder: Path) -> Collection:
        """Let a collection follow a folder of its own that has moved here; returns the collection.

        Its index names the new place of the first folder at once, that of another one after the next update. A gallery
        that was given at the start is looked for in its new place until this process ends; if that has an index, it is
        used. What is refused changes nothing. Raises CollectionsProblem, OSError, DiskFull, IndexProblem, BuildRunning.
        """
        settings = self.collections.settings_of(collection)

        def attach() -> None:
            is_attached = collection.name != DEFAULT and names(settings.index_dir, folder)  # the table was not written
            if not is_attached and (not collection.folders or follow(settings, folder) is None):
                raise CollectionsProblem(f"{shown(str(folder))} does not have the pictures of this collection.")

        if collection.name != DEFAULT:
            is_first = index_of_moved(settings, folder) == settings.index_dir
            other = None if is_first else other_folder_moved_to(settings, folder)
            first = attach if other is None else lambda: None
            return self.collections.table.move(collection.name, folder, other, first)
        if settings.index is not None or not has_index(settings, folder):
            attach()
        self.collections.settings = self.collections.settings.changed(gallery=folder)
        return self.collections.find()

    def galleries(self) -> Iterator[Gallery]:
        """The galleries of all collections that have a usable index. Raises CollectionsProblem."""
        for collection in self.collections.all():
            with suppress(IndexProblem):
                yield self.of(collection).gallery()

    def remove(self, name: str, with_index: bool = False) -> Collection:
        """Take a collection out of the table and return it. Pictures stay; so does its index, unless asked otherwise.

        Raises CollectionsProblem, also for "default", which is only another name of the first one, and BuildRunning if
        an index that is being built would be deleted.
        """
        collection = self.collections.find(name)
        if collection.name == DEFAULT:
            raise CollectionsProblem("The default collection is the gallery that Boxfind was started with.")
        if not same_name(collection.name, name):
            raise CollectionsProblem(f"Write its own name to remove it: {shown(collection.name)}.")
        engine = self.of(collection)
        if with_index and (engine.builds.is_running() or is_reading(engine.settings.index_dir)):
            raise BuildRunning(f"The index of {shown(collection.name)} is being built; cancel the build first.")
        if collection.folders:
            self.collections.table.remove(collection.name)
        elif not with_index:
            raise CollectionsProblem("The sample gallery is listed as long as it has an index; remove that, too.")
        with self._lock:
            self._engines.pop(collection, None)
        engine.stop_watching()
        if with_index:
            _delete(engine.settings.index_dir)
        return collection


def _delete(index: Path) -> None:
    """Delete an index. Raises CollectionsProblem."""
    try:
        (index / "CURRENT").unlink(missing_ok=True)  # so that nothing opens a part of it
        shutil.rmtree(index, ignore_errors=False)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise CollectionsProblem(f"{error.filename or index} cannot be deleted: {error.strerror}.") from None
