"""Settings become live objects here, and only here: the embedder, the gallery, a search, a build."""

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from boxfind.embedders import embedder_for_building, embedder_for_searching, expected_changes, text_tower
from boxfind.executors import EXECUTORS
from boxfind.lazy_values import LazyValues
from boxfind.settings import PROJECT, Settings
from boxfind.stores import preparation, publisher_for
from index.building.build import build
from index.building.decoder_pool import DecoderPool
from index.building.jobs import BuildProcess, BuildState, build_state, building, request_cancel
from index.gallery import Gallery, make_gallery
from index.storage.generation import served_generation
from retrieval.answer import Answering, answer
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.errors import IndexProblem, pick
from retrieval.request import Example, Request
from retrieval.text.text_search import TextScorer, class_text_scorer, tower_text_scorer
from retrieval.types import Box, Hit, Image, Notify, Progress, Query

if TYPE_CHECKING:  # it needs pymilvus
    from index.milvus.publish import Publisher

MEANWHILE = "The vector engine is away; until it is back the vectors are searched on this machine."
EMBEDDERS = 4
"""Networks that stay loaded, of the indexes that were searched last."""


@dataclass(frozen=True, slots=True)
class _Served:
    """An open gallery, what CURRENT said when it was opened, and what visitors should know of it."""

    gallery: Gallery
    pointer: str
    warning: str


class Engine:
    """One a process. Every method may be called from many threads; what is slow happens outside of locks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._served: _Served | None = None
        self._opening = threading.Lock()
        self._pool: DecoderPool | None = None
        self._publishers: LazyValues[str, Publisher | None] = LazyValues(keep=1)
        self._embedders: LazyValues[Recipe, Embedder] = LazyValues(keep=EMBEDDERS)
        self._text_scorers: LazyValues[Path, TextScorer] = LazyValues(keep=1)
        self._build: BuildProcess | None = None

    def gallery(self) -> Gallery:
        """The served generation, opened anew when another is served now. Raises IndexProblem.

        Until a new generation is open, others go on with the one before it. When it is damaged it is the last good one
        before it, and `warning` says so.
        """
        served, pointer = self._served, self._current()
        if served is not None and served.pointer == pointer:
            return served.gallery
        if not self._opening.acquire(blocking=served is None):
            assert served is not None
            return served.gallery
        try:
            pointer = self._current()
            if self._served is None or self._served.pointer != pointer:
                self._served = self._open(pointer)
            return self._served.gallery
        finally:
            self._opening.release()

    def warning(self) -> str:
        """What visitors should know of the index that `gallery` gave out last; empty when all is well."""
        return " ".join(filter(None, [self._served.warning if self._served else "", self.store_away()]))

    def store_away(self) -> str:
        """A sentence about the vector engine while it cannot be asked; empty when it can, or there is none."""
        if self.settings.search.store != "milvus" or self._served is None:
            return ""
        publisher = self._publisher()
        if publisher is None or not publisher.milvus.is_away():
            return ""
        return MEANWHILE if self.settings.milvus.fallback else publisher.milvus.trouble

    def read_picture(self, data: bytes, name: str) -> Image:
        """The picture in some bytes of a visitor's, decoded in a process of its own. Raises UnreadableImage."""
        with self._lock:
            if self._pool is None:
                self._pool = DecoderPool()
        return self._pool.decode(data, name)

    def search(
        self, gallery: Gallery, image: Image, box: Box, top: int = 10, ranking: str = "fast", context: float = 1.0
    ) -> list[Hit]:
        """The gallery images that hold what is in the box.

        Raises BadBox, IndexProblem (StoreAway while the vector engine is away), WeightsMissing, UnknownName.
        """
        return self.answer(gallery, Request((Example("", box),), ranking, context), {"": image}, top)

    def answer(self, gallery: Gallery, request: Request, images: Mapping[str, Image], top: int = 10) -> list[Hit]:
        """The gallery images that a request asks for, best first; 0 for all. `images`: its pictures by their SHA-256.

        Raises what `search` does, BadBox also when there are neither words nor a box that shows the object,
        GalleryProblem when the folder is empty.
        """
        settings = self.settings.search

        def describe(image: Image, box: Box, context: float) -> Query:
            embedder = self.embedder(gallery.manifest.recipe)
            return embedder.query(image, box, gallery.whitening, context, settings.query_mode)

        answering = Answering(
            describe, lambda: self.text_scorer(gallery), settings.min_similarity, settings.score_tie_eps
        )
        # A search is many small matrix products: shared out among threads each would take several times as long.
        with one_blas_thread():
            return answer(request, images, gallery, answering, top)

    def text_scorer(self, gallery: Gallery) -> TextScorer:
        """What makes a gallery searchable by sentences; made once. Raises RuntimeMissing, IndexProblem."""

        def make() -> TextScorer:
            tower = text_tower(gallery.manifest.recipe)
            if tower is None and not gallery.class_scores.classes.shape[1]:
                raise IndexProblem(
                    f"Pictures indexed with {gallery.manifest.recipe.backbone} cannot be searched by words; "
                    "build the index with clip-rn50, resnet50 or the bundled network."
                )
            whole = gallery.below("")
            return tower_text_scorer(whole, tower) if tower else class_text_scorer(whole)

        return self._text_scorers.get(gallery.folder, make)

    def embedder(self, recipe: Recipe) -> Embedder:
        """The network an index was built with, ready to run. Raises IndexProblem, WeightsMissing, RuntimeMissing."""
        return self._embedders.get(recipe, lambda: embedder_for_searching(recipe, self.settings))

    def recipe_changes(self, gallery: Gallery) -> list[str]:
        """How the next update would change the recipe of the index, so that it reads all pictures again."""
        return expected_changes(gallery.manifest.recipe, self.settings)

    def build(self, progress: Progress, full: bool = False, notify: Notify = lambda _: None) -> Path:
        """Brings the index up to date in this process; returns the folder of the generation that is served then.

        `full` looks at every picture and learns everything anew. Before all pictures are read again `notify` is told
        why. Without a configured gallery the sample gallery is drawn first. Raises BuildRunning, BuildCancelled,
        GalleryProblem, DiskFull, WeightsMissing, RuntimeMissing, ClusterProblem, UnknownName, and StoreAway, at once,
        when the engine that is to have the vectors is away.
        """
        settings = self.settings
        start = pick(EXECUTORS, "engine", settings.build.engine)
        with building(settings.index_dir) as report:

            def both(stage: str, done: int, total: int) -> None:
                report(stage, done, total)
                progress(stage, done, total)

            def tell(sentence: str) -> None:
                report.notify(sentence)
                notify(sentence)

            publisher = self._publisher()
            prepare = preparation(publisher, both)
            if settings.is_sample:
                from boxfind.samples.draw import draw_samples  # needed once

                draw_samples(settings.sample_folder, both)
            embedder, note = embedder_for_building(settings, both)
            with start(settings, embedder) as executor:
                folder = build(
                    settings.gallery_dir,
                    settings.index_dir,
                    executor,
                    both,
                    note,
                    full,
                    settings.search.store,
                    prepare,
                    tell,
                )
            if publisher:
                publisher.drop_others(settings.index_dir)
            return folder

    def start_build(self, full: bool = False) -> None:
        """The same in a process of its own, which outlives this one. Does nothing while one runs.

        Raises IndexProblem when the folder of the index cannot be written to.
        """
        with self._lock:
            state = self._build_state()
            if state is None or state.state != "running":
                try:
                    self._build = BuildProcess(self._build_command(full), self.settings.index_dir)
                except OSError as error:
                    raise IndexProblem(f"The build cannot be started: {error.strerror}.") from None

    def cancel_build(self) -> None:
        """Asks the build that runs, whoever started it, to stop; it does within seconds."""
        request_cancel(self.settings.index_dir)

    def build_state(self) -> BuildState | None:
        """The build that runs or was the last to run, whoever started it; None when there never was one."""
        with self._lock:
            return self._build_state()

    def close(self) -> None:
        """Ends the processes that decode pictures; the next picture starts new ones. A build goes on."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _open(self, pointer: str) -> _Served:
        generation, warning = served_generation(self.settings.index_dir)
        if self._served is not None and self._served.gallery.folder == generation.folder:
            return _Served(self._served.gallery, pointer, warning)
        publisher, search = self._publisher(), self.settings.search
        collection = publisher.collection(generation) if publisher else None
        return _Served(make_gallery(generation, search.store, search.fetch_k, collection), pointer, warning)

    def _publisher(self) -> "Publisher | None":
        return self._publishers.get("", lambda: publisher_for(self.settings))

    def _build_state(self) -> BuildState | None:
        return self._build.state() if self._build else build_state(self.settings.index_dir)

    def _current(self) -> str:
        try:
            return (self.settings.index_dir / "CURRENT").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _build_command(self, full: bool) -> list[str]:
        settings = self.settings
        command = [sys.executable, str(PROJECT / "cli.py"), "build", *(["--full"] if full else [])]
        if settings.gallery:
            command += ["--gallery", str(settings.gallery_dir)]
        return [*command, "--index", str(settings.index_dir)]
