"""Builds of the index: run one here or in its own process, watch it, cancel it; then read the text in pictures."""

import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from boxfind.embedders import embedder_for_building, is_asked_for
from boxfind.executors import EXECUTORS
from boxfind.moved_folder import moved_sentence
from boxfind.searches.learn_contents import learn_contents
from boxfind.settings import PROJECT, Settings
from boxfind.stores import preparation
from boxfind.update_notice import UpdateNotice
from index.building.build import BuildOptions, build
from index.building.cancellation import Cancellation
from index.building.decoder_pool import DecoderPool
from index.building.jobs import BuildState, build_state, building, request_cancel, start_build_process
from index.building.read_text import TextProgress, is_reading, read_text, stop_reading, text_progress
from index.building.reading_time import seconds_per_picture
from index.building.wave_rule import WaveTimes
from index.building.waves import Landed, WaveOptions
from index.gallery import Gallery
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from index.storage.publishing import Prepare
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.errors import GalleryProblem, IndexProblem, pick
from retrieval.types import Notify, Progress

if TYPE_CHECKING:  # importing it needs pymilvus
    from index.milvus.publish import Publisher

READ_SECONDS = 60.0
"""Timeout for reading the text of one picture; a page of a document may have hundreds of lines."""
READ_MEMORY, READ_PICTURES = 4 * 1024**3, 150
"""Bytes that a worker may allocate while it reads, and pictures after which it is replaced: OpenVINO keeps memory."""


class Builds:
    """Thread-safe. The builds of an index run one at a time, in whichever process."""

    def __init__(self, settings: Settings, publisher: "Callable[[], Publisher | None]") -> None:
        """`publisher` returns what copies a finished generation to Milvus; None for a local store."""
        self._settings = settings
        self._publisher = publisher
        self._lock = threading.Lock()
        self._update_notice = UpdateNotice(settings)

    def build(
        self,
        progress: Progress,
        full: bool = False,
        notify: Notify = lambda _: None,
        cancellation: Cancellation | None = None,
        landed: Landed = lambda *_: None,
    ) -> Path:
        """Update the index in this process and return the folder of the generation that is then served.

        `full` describes every image and learns the whitening again. `notify` receives the reason and the time when all
        images must be read again; `landed` the number of images that can be searched whenever it grows meanwhile, and
        how many there will be. Without a configured gallery, the sample gallery is drawn first. It can be cancelled,
        through `cancellation` or from another process, until its result is about to be served.

        Raises BuildRunning, BuildCancelled, GalleryProblem, DiskFull, WeightsMissing, RuntimeMissing, ClusterProblem,
        UnknownName, BadHead. Raises StoreUnavailable before any work when Milvus is configured but unreachable.
        """
        settings = self._settings
        start = pick(EXECUTORS, "engine", settings.build.engine)
        with building(settings.index_dir, cancellation) as report:

            def both(stage: str, done: int, total: int) -> None:
                report(stage, done, total)
                progress(stage, done, total)

            def tell(sentence: str) -> None:
                report.notify(sentence)
                notify(sentence)

            publisher = self._publisher()
            prepare = preparation(publisher, both)

            def tell_landed(searchable: int, found: int) -> None:
                report.landed(searchable, found)
                landed(searchable, found)

            def prepare_to_serve(folder: Path) -> None:
                prepare(folder)
                report.cancellation.close()

            learn_contents(settings.searches_file, settings.index_dir)
            if settings.is_sample:
                from boxfind.samples.draw import draw_samples  # only a sample gallery needs it

                draw_samples(settings.sample_folder, both)
            embedder, note = embedder_for_building(settings, both, None if full else self._recipe_before())
            with start(settings, embedder) as executor:
                options = self._build_options(embedder, note, full, prepare_to_serve, tell)
                options = replace(options, waves=self._wave_options(tell_landed))
                try:
                    folder = build(settings.gallery_dir, settings.index_dir, executor, both, options)
                except GalleryProblem as problem:
                    raise GalleryProblem(f"{problem} {moved_sentence(settings)}".rstrip()) from None
            if publisher:
                publisher.drop_others(settings.index_dir)
            return folder

    def start(self, full: bool = False) -> None:
        """Start a build in a separate process that outlives this one. Do nothing while a build is running.

        Raises IndexProblem when the index folder is not writable.
        """
        with self._lock:
            if self.is_running():
                return
            try:
                start_build_process(self._build_command(full), self._settings.index_dir)
            except OSError as error:
                raise IndexProblem(f"The build cannot be started: {error.strerror}.") from None

    def cancel(self, build: str = "") -> BuildState | None:
        """Ask the running build, whichever process started it, to stop; with `build`, only if it has this id.

        Returns its state, or None if no such build is running.
        """
        return request_cancel(self._settings.index_dir, build)

    def state(self) -> BuildState | None:
        """Return the state of the running or last build of any process; None if there has been none."""
        return build_state(self._settings.index_dir)

    def is_running(self) -> bool:
        """Whether a build of any process is running."""
        state = self.state()
        return state is not None and state.state == "running"

    def read_text(self, progress: Progress, cancellation: Cancellation | None = None) -> int:
        """Read what is written in pictures that have not been read yet, and return their number. Run it after a build.

        Does nothing if `settings.build.text` is off, or if another process is at it. It can be cancelled like a build;
        what was read until then is kept. Raises BuildCancelled, IndexProblem, RuntimeMissing.
        """
        build, cancellation = self._settings.build, cancellation or Cancellation()
        if not build.text:
            return 0

        def report(stage: str, done: int, total: int) -> None:
            cancellation.check()
            progress(stage, done, total)

        start_pool = partial(DecoderPool, build.workers, READ_SECONDS, READ_MEMORY, pictures=READ_PICTURES)
        return read_text(self._settings.index_dir, start_pool, build.workers, report, build.incomplete)

    def text_progress(self, gallery: Callable[[], Gallery]) -> TextProgress | None:
        """Return how many pictures have been read for text, while they are being read; None if they are not.

        `gallery` returns the served one, and is called only while they are. Raises its errors.
        """
        return text_progress(gallery()) if is_reading(self._settings.index_dir) else None

    def stop_reading(self) -> bool:
        """Ask the process that reads what is written in pictures to stop; False if there is none."""
        return stop_reading(self._settings.index_dir)

    def update_notice(self, gallery: Gallery, measure: bool = True) -> str:
        """Return why the next update reads all images again, and about how long it takes; empty if it does not.

        Without `measure`, which keeps the CPUs busy, the time is given only if it is known.
        """
        return self._update_notice.sentence(gallery.manifest, measure)

    def first_build_sentence(self, count: int) -> str:
        """Return about how long the first build of `count` pictures takes; empty if that cannot be told."""
        return self._update_notice.first_build_sentence(count)

    def rebuild_sentence(self, gallery: Gallery) -> str:
        """Return what a full build reads, and about how long it takes."""
        return self._update_notice.rebuild_sentence(gallery.manifest)

    def _build_options(
        self, embedder: Embedder, note: str, full: bool, prepare: Prepare, notify: Notify
    ) -> BuildOptions:
        options = BuildOptions(
            note,
            full,
            self._settings.search.store,
            prepare,
            notify,
            exact_precision=is_asked_for(embedder.recipe.precision, self._settings),
            rules=self._settings.gallery_rules,
        )
        if self._settings.build.engine != "local":  # the speed of a cluster is unknown
            return options
        return replace(options, estimate=partial(seconds_per_picture, workers=self._settings.build.workers))

    def _wave_options(self, landed: Landed) -> WaveOptions | None:
        """None for Milvus, which would have to copy every wave as a whole."""
        first, growth = self._settings.build.first_wave, self._settings.build.wave_growth
        if not first or self._settings.search.store == "milvus":
            return None
        is_local = self._settings.build.engine == "local"  # a cluster would have to be started anew for the keypoints
        return WaveOptions(WaveTimes(first, growth), landed, keypoints_later=is_local)

    def _recipe_before(self) -> Recipe | None:
        try:
            return read_manifest(current_folder(self._settings.index_dir)).recipe
        except IndexProblem:
            return None

    def _build_command(self, full: bool) -> list[str]:
        settings = self._settings
        command = [sys.executable, str(PROJECT / "cli.py"), "build", *(["--full"] if full else [])]
        if settings.collection:
            return [*command, "--collection", settings.collection]
        if settings.gallery:
            command += ["--gallery", str(settings.gallery_dir)]
        return [*command, "--index", str(settings.index_dir)]
