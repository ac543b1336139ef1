"""Watch the folders of a gallery until told to stop: wait for changes, and update the index when they come to rest."""

import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from boxfind.builds import Builds
from boxfind.collection_table import CollectionTable, UnreadableTable
from boxfind.logs import log
from boxfind.settings import Settings
from boxfind.update_pace import FIRST_PAUSE, Pace
from index.gallery import Gallery
from index.operations.folder_changes import find_folder_changes
from index.operations.folder_events import ChangeSource, WatchLost
from retrieval.errors import BoxfindError, GalleryProblem, IndexProblem
from retrieval.printable_names import shown

AWAY = 10.0
"""Seconds between looks for a folder that is away, or for an index that is not there yet."""
BUILDING = 1.0
"""Seconds between looks at a running build."""

Kind = Literal["off", "watching", "noticed", "updating", "away", "paused", "held"]


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """What the watcher does. Messages are for administrators: they may name folders."""

    kind: Kind = "off"
    changes: int = 0
    """Files that have changed, as far as is known, while an update is to come."""
    message: str = ""
    """Why an update failed or does not start by itself, or which of several folders are away."""
    why_compared: str = ""
    """Why the folder is compared regularly, and its changes are not reported."""


class FolderWatch:
    """Watches the folders of one gallery, in a thread of its own: `step` again and again until `stop` is set.

    An update is an ordinary build in a process of its own. None starts by itself without an index, or if it would read
    all pictures again. Builds need all folders, so nothing is watched while one of them is away.
    """

    def __init__(
        self,
        settings: Settings,
        builds: Builds,
        gallery: Callable[[], Gallery],
        open_source: Callable[..., ChangeSource],
        clock: Callable[[], float],
    ) -> None:
        """`gallery` returns the served one."""
        self._settings, self._builds, self._gallery = settings, builds, gallery
        self._open_source, self._clock = open_source, clock
        self.stop = threading.Event()
        self.status = WatchStatus("watching")
        self._pace = Pace(settings.watching.watch_settle)
        self._source: ChangeSource | None = None
        self._identities: list[tuple[int, int] | None] = []
        self._last_build = ""
        """The id of the last build when an update failed or was held back."""
        self._waits_for_build = False

    @property
    def _folders(self) -> tuple[Path, ...]:
        return self._settings.gallery_dir, *self._settings.more_folders

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                try:
                    self.step()
                except Exception:  # whatever it was, the next changes are noticed again
                    log.exception("Watching the gallery folder failed; going on in a minute.")
                    self._close()
                    self.stop.wait(FIRST_PAUSE)
        finally:
            self._close()

    def step(self) -> None:
        """Wait for changes once, and start an update if one is due."""
        source = self._opened()
        if source is None:
            self._say("away", message=self._which_are_away())
            self.stop.wait(AWAY)
            return
        self._look_for_another_build()
        now, pace = self._clock(), self._pace
        if pace.waiting and pace.due_in(now) <= 0 and self._wait_for_build():
            return
        patience = min(max(pace.due_in(now), 0.0), source.idle) if pace.waiting else source.idle
        try:
            names = source.wait(patience)
        except (WatchLost, GalleryProblem) as problem:
            log.warning("%s", problem)
            self._close()
            return
        now = self._clock()
        if names:
            pace.notice(names, now)
            if not pace.failures:
                self._say("noticed")
        if pace.waiting and pace.due_in(now) <= 0 and not self.stop.is_set() and not self._wait_for_build():
            self._take_in()

    def _opened(self) -> ChangeSource | None:
        """The source of changes, opened anew if a folder is another one than before; None while one is away."""
        identities = [_identity(folder) for folder in self._folders]
        if None in identities or identities != self._identities:
            self._close()
        if None not in identities and self._source is None:
            try:
                every = 60 * self._settings.watching.watch_compare
                self._source = self._open_source(self._folders[0], self._settings.gallery_rules, self.stop, every)
            except BoxfindError as problem:
                log.warning("The gallery folder cannot be watched: %s", problem)
                return None
            self._identities = identities
            if self._source.why_compared:
                log.warning("%s", self._source.why_compared)
            self._pace.forgive()  # a disk that has come back
            self._pace.notice(set(), self._clock())  # it may have changed while nobody watched
            self._say("watching")
        return self._source

    def _which_are_away(self) -> str:
        """The missing ones of several folders, in a sentence; empty if there is only one folder, or none is missing."""
        missing = [shown(str(folder)) for folder in self._folders if _identity(folder) is None]
        return f"Missing: {', '.join(missing)}." if missing and len(self._folders) > 1 else ""

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = None

    def _take_in(self) -> None:
        """Compare the folder with the index, and update the index if they differ."""
        try:
            changes, problem = self._compare()
        except IndexProblem:  # the first build is started by a person
            self._pace.not_before = self._clock() + max(AWAY, self._source.idle if self._source else 0.0)
            self._say("watching")
            return
        except (BoxfindError, OSError) as error:
            self._failed(str(error))
            return
        if self.stop.is_set():
            return
        if not changes or problem:
            self._pace.clear()
            self._pace.forgive()
            self._say("held" if problem else "watching", changes, problem)
            return
        if not self._is_listed():
            log.info("A collection is not in the list any more; its folders are not watched any more.")
            self.stop.set()
            return
        log.info("Changes noticed in the gallery folder (%d); updating the index.", changes)
        self._update(changes)

    def _compare(self) -> tuple[int, str]:
        """The number of changed files, and why an update does not start by itself; empty if it may."""
        gallery, settings = self._gallery(), self._settings
        changes = find_folder_changes(gallery.folder, rules=settings.gallery_rules, gallery=settings.gallery_dir)
        return changes.count, self._builds.update_notice(gallery, measure=False) if changes.count else ""

    def _is_listed(self) -> bool:
        """Whether the collection is still in the list under its name; another process may have changed that."""
        name = self._settings.collection
        try:
            return not name or any(one.name == name for one in CollectionTable(self._settings.data).read())
        except UnreadableTable:  # a build says so
            return True

    def _update(self, changes: int) -> None:
        names = self._pace.names
        self._pace.clear()  # what changes from now on is another update's
        try:
            self._builds.start()
        except BoxfindError as error:
            self._pace.notice(names, self._clock())
            self._failed(str(error))
            return
        self._say("updating", changes)
        while self._builds.is_running() and not self.stop.wait(BUILDING):
            pass
        state, now = self._builds.state(), self._clock()
        if state is not None and state.state == "failed":
            self._pace.notice(names, now)
            self._failed(state.message)
        elif not self.stop.is_set():
            self._pace.succeeded(now)
            self._say("watching")

    def _wait_for_build(self) -> bool:
        """Whether a build is running; then a moment has passed. What somebody cancels does not start again at once."""
        if self._builds.is_running():
            self._waits_for_build = True
            self._say("updating", len(self._pace.names))
            self.stop.wait(BUILDING)
            return True
        has_waited, self._waits_for_build = self._waits_for_build, False
        state = self._builds.state()
        if not has_waited or state is None or state.state != "cancelled":
            return False
        self._pace.clear()
        self._say("watching")
        return True

    def _look_for_another_build(self) -> None:
        """Compare at once if a build has succeeded since updates failed or were held back."""
        if self.status.kind in ("paused", "held"):
            state = self._builds.state()
            if state is not None and state.state == "done" and state.id != self._last_build:
                self._last_build = state.id
                self._pace.forgive()
                self._pace.notice(set(), self._clock())

    def _failed(self, message: str) -> None:
        self._pace.failed(self._clock())
        log.warning("The index was not updated by itself: %s", message)
        self._say("paused", len(self._pace.names), message)

    def _say(self, kind: Kind, changes: int | None = None, message: str = "") -> None:
        count = len(self._pace.names) if changes is None else changes
        self.status = WatchStatus(kind, count, message, self._source.why_compared if self._source else "")
        if kind in ("paused", "held"):
            state = self._builds.state()
            self._last_build = state.id if state else ""


def _identity(folder: Path) -> tuple[int, int] | None:
    """The device and the number of a folder, which differ once another disk is mounted there; None if it is away."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None
