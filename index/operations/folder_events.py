"""Wait for changes of the gallery folders that may matter to their index: reported by the system, or found by scans."""

import os
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Protocol

from watchfiles import Change, watch
from watchfiles.main import FileChange

from index.storage.folder_scan import Skipped, folder_labels, scan_gallery
from index.storage.gallery_rules import IGNORE_FILE, NO_MEDIA, GalleryRules, ignores
from index.storage.network_drives import reports_changes
from retrieval.errors import BoxfindError, GalleryProblem
from retrieval.images.file_kinds import is_worth_opening, readable_suffixes, suffix_of

STEP, GROUP = 1000, 5000
"""How often watchfiles returns while nothing changes, and for how long it collects changes into one report (ms)."""
ALL_BELOW = sys.platform != "linux"
"""Whether a folder is watched with all below it. Linux watches each on its own, and would follow links."""
ANY = "_"
"""A file name that stands for any, to ask whether the files of a folder are left out."""
LOOK = 10.0
"""Seconds after which somebody who waits for reports should look whether the folder is still there."""
LIMIT = (
    "The system watches no more folders for this user, so the folder is compared regularly instead. On Linux, raise "
    "fs.inotify.max_user_watches (docs/admin.md)."
)
NETWORK_DRIVE = "This drive does not report its changes, so the folder is compared regularly."


class WatchLost(BoxfindError):
    """The system does not report the changes of a folder, or no longer."""


class ChangeSource(Protocol):
    """Where changes are known from. `idle` is the time in seconds to wait if nothing is known to have changed."""

    idle: float
    why_compared: str
    """Why the folder is compared regularly; empty if its changes are reported."""

    def wait(self, seconds: float) -> set[str]:
        """Wait for changes, at most about `seconds`, and return the names of what may have changed.

        Raises WatchLost, and GalleryProblem if the folder is gone.
        """
        ...

    def close(self) -> None: ...


def open_source(folder: Path, rules: GalleryRules, stop: threading.Event, every: float) -> ChangeSource:
    """Wait for reports of the system, or compare the folder `every` so many seconds where they are not to be had.

    The other folders of the gallery, which the rules name, are watched with it: all are compared if one has to be.
    Setting `stop` ends every wait. Raises GalleryProblem if a folder is gone.
    """
    if not all(map(reports_changes, (folder, *rules.more_folders))):
        return FolderScans(folder, rules, stop, every, NETWORK_DRIVE)
    try:
        return FolderEvents(folder, rules, stop)
    except WatchLost:
        return FolderScans(folder, rules, stop, every, LIMIT)


class FolderEvents:
    """Changes that the operating system reports. What is left out of the index is not reported on."""

    idle = LOOK
    why_compared = ""

    def __init__(self, folder: Path, rules: GalleryRules, stop: threading.Event) -> None:
        """Raises WatchLost if the system cannot watch the folders, and GalleryProblem if one is gone."""
        self._roots = {folder.resolve(): "", **folder_labels(rules.more_folders)}
        self._rules, self._stop = rules, stop
        self._readable = readable_suffixes()
        self._has_new_folder = False
        self._early: set[FileChange] = set()
        self._reports: Generator[set[FileChange], None, None] | None = None
        self._open()

    def wait(self, seconds: float) -> set[str]:
        until = time.monotonic() + seconds
        if self._has_new_folder and not ALL_BELOW:
            self._open()
        while True:
            changes, self._early = self._early or self._next(), set()
            names = {name for change in changes if (name := self._name(*change)) is not None}
            if names or self._stop.is_set() or time.monotonic() >= until:
                return names

    def close(self) -> None:
        if self._reports is not None:
            self._reports.close()

    def _open(self) -> None:
        """Watch the folders that there are. Those made meanwhile are found by looking again."""
        for root in self._roots:
            if not root.is_dir():
                raise GalleryProblem(f"The gallery folder {root} does not exist.")
        folders: list[Path] = []
        while folders != (folders := [*self._roots] if ALL_BELOW else self._folders()) and not self._stop.is_set():
            self.close()
            self._reports = watch(
                *folders,
                watch_filter=None,
                debounce=GROUP,
                step=STEP,
                stop_event=self._stop,
                rust_timeout=STEP,
                yield_on_timeout=True,
                force_polling=False,  # it looks at every file three times a second
                recursive=ALL_BELOW,
                ignore_permission_denied=ALL_BELOW,  # on Linux, it would also hide that the limit is reached
            )
            self._early |= self._next()  # only now the system watches
        self._has_new_folder = False

    def _folders(self) -> list[Path]:
        """The folders that a scan visits. Links are not followed: they may lead to all of the disk."""
        folders = []
        for root in self._roots:
            for place, below, _ in os.walk(root):
                folders.append(Path(place))
                relative = Path(place).relative_to(root)
                below[:] = sorted(
                    name
                    for name in below
                    if not name.startswith(".") and not self._ignored(root, (relative / name / ANY).as_posix())
                )
        return folders

    def _next(self) -> set[FileChange]:
        if self._reports is None:  # stopped before it could begin
            return set()
        try:
            return next(self._reports, set())
        except FileNotFoundError:
            raise GalleryProblem(f"A gallery folder does not exist: {', '.join(map(str, self._roots))}.") from None
        except (OSError, RuntimeError) as error:
            raise WatchLost(f"The system does not report changes: {error}") from None

    def _name(self, change: Change, path: str) -> str | None:
        """The name of what has changed, relative to the gallery; None if it cannot matter."""
        for root, label in self._roots.items():
            if Path(path).is_relative_to(root):
                relative = Path(path).relative_to(root).as_posix()
                return label + relative if relative == "." or self._may_matter(root, relative, change) else None
        return None

    def _may_matter(self, root: Path, relative: str, change: Change) -> bool:
        """Whether a change may change the index, by its name and the rules. Only files with patterns are read.

        A new folder does, since nothing is reported on the files that it was moved in with.
        """
        *parents, name = relative.split("/")
        if any(part.startswith(".") for part in parents):
            return False
        if name.startswith("."):
            return name in (IGNORE_FILE, NO_MEDIA)
        if (root / relative).is_dir():
            matters = change is not Change.modified and not self._ignored(root, f"{relative}/{ANY}")
            self._has_new_folder |= matters
            return matters
        is_picture = suffix_of(name) in self._readable or is_worth_opening(name)
        return is_picture and not self._ignored(root, relative)

    def _ignored(self, root: Path, relative: str) -> bool:
        try:
            return ignores(root, relative, self._rules)
        except GalleryProblem:  # patterns that cannot be used; the build says so
            return False


class FolderScans:
    """Changes found by comparing names, sizes and times with those of the scan before. No picture is read for it."""

    def __init__(self, folder: Path, rules: GalleryRules, stop: threading.Event, every: float, why: str) -> None:
        self.idle, self.why_compared = every, why
        self._folder, self._rules, self._stop = folder, rules, stop
        self._skipped: list[Skipped] = []
        self._before = self._scan()

    def wait(self, seconds: float) -> set[str]:
        if self._stop.wait(seconds):
            return set()
        before, self._before = self._before, self._scan()
        either = before.keys() | self._before.keys()
        return {name for name in either if before.get(name) != self._before.get(name)}

    def close(self) -> None:
        self._before = {}

    def _scan(self) -> dict[str, tuple[int, float]]:
        scan = scan_gallery(self._folder, self._rules, self._skipped)
        self._skipped = scan.skipped
        files = {file.id: (file.bytes, file.mtime) for file in scan.found}
        return files | {file.file: (file.bytes, file.mtime) for file in scan.skipped}
