"""Tell before an update that it will read all pictures again: why, and about how long it takes."""

import contextlib
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLong

from boxfind.embedders import describing_embedder, is_asked_for
from boxfind.expected_recipe import expected_recipe, first_recipe
from boxfind.settings import Settings
from index.building.reading_time import seconds_per_picture
from index.building.update_plan import FEW, about, reread_notice
from index.storage.manifest import Manifest
from retrieval.descriptors.recipe import Recipe, differ_in_precision_only, recipe_changes
from retrieval.errors import BoxfindError, RuntimeMissing

MOMENT = 2.0
"""Seconds that a page waits for the measurement of the time."""
QUESTION = 10.0
"""Seconds that the question before a rebuild waits for it."""


class UpdateNotice:
    """Thread-safe. The speed of this machine is measured in the background, once for each recipe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._recipe: Recipe | None = None
        self._measured: Future[float | None] = Future()

    def sentence(self, manifest: Manifest, measure: bool = True) -> str:
        """Return why the next update of this index reads all pictures again; empty if it does not.

        The time is measured only with `measure`, and otherwise given if it is known. Only a build finds out whether
        the gallery has outgrown its whitening, and what can be downloaded.
        """
        try:
            before, now = manifest.recipe, expected_recipe(manifest.recipe, self._settings)
        except RuntimeMissing:  # every search says so
            return ""
        reasons, count = recipe_changes(before, now), manifest.counts.images
        compares = differ_in_precision_only(before, now) and not is_asked_for(now.precision, self._settings)
        if not reasons or (compares and now.precision in manifest.precisions):
            return ""
        notice = reread_notice(reasons, count, count, self._seconds(now, measure) if count >= FEW else None)
        if not compares:
            return notice
        return (
            f"The update first compares the results of {before.precision} and {now.precision}. "
            f"If they differ, {notice[0].lower()}{notice[1:]}"
        )

    def rebuild_sentence(self, manifest: Manifest) -> str:
        """ "Re-reads all 12,431 pictures, about 9 min." Few pictures take so little time that it is left out."""
        count = manifest.counts.images
        pictures = f"all {count:,} pictures" if count != 1 else "the only picture"
        try:
            recipe = expected_recipe(manifest.recipe, self._settings)
            seconds = self._seconds(recipe, measure=True, wait=QUESTION) if count >= FEW else None
        except RuntimeMissing:  # the build says so
            seconds = None
        if seconds is not None:
            return f"Re-reads {pictures}, {about(count * seconds)}."
        return f"Re-reads {pictures}." + (" The time is not known yet." if count >= FEW else "")

    def first_build_sentence(self, count: int) -> str:
        """ "Reading them takes about 9 min."; empty if that cannot be told."""
        try:
            seconds = self._seconds(first_recipe(self._settings), measure=True, wait=QUESTION) if count else None
        except RuntimeMissing:  # the build says so
            seconds = None
        return "" if seconds is None else f"Reading them takes {about(count * seconds)}."

    def _seconds(self, recipe: Recipe, measure: bool, wait: float | None = None) -> float | None:
        """Seconds for each picture; None while they are being measured, and on a cluster, whose speed is unknown."""
        if self._settings.build.engine != "local":
            return None
        with self._lock:
            if self._recipe != recipe:
                if not measure:
                    return None
                self._recipe, self._measured = recipe, Future()
                threading.Thread(target=self._measure, args=[recipe, self._measured], daemon=True).start()
            measured = self._measured
        with contextlib.suppress(TooLong):
            return measured.result((wait or MOMENT) if measure else 0)
        return None

    def _measure(self, recipe: Recipe, measured: "Future[float | None]") -> None:
        seconds, workers = None, self._settings.build.workers
        try:
            seconds = seconds_per_picture(describing_embedder(recipe, self._settings, workers), workers)
        except BoxfindError:  # such as weights that only the build downloads
            pass
        finally:
            measured.set_result(seconds)
