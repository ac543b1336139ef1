"""The engine: open the gallery, load networks, answer searches and run builds as the settings say."""

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
from index.building.build import BuildOptions, build
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

if TYPE_CHECKING:  # importing it needs pymilvus
    from index.milvus.publish import Publisher

MEANWHILE = "Milvus is not reachable; searching the vectors on this machine until it is back."
EMBEDDERS = 4
"""Number of most recently loaded networks to keep."""


@dataclass(frozen=True, slots=True)
class _Served:
    """An open gallery, the content of CURRENT when it was opened, and a warning for users."""

    gallery: Gallery
    pointer: str
    warning: str


class Engine:
    """One engine per process. All methods are thread-safe; slow work happens outside locks."""

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

    def gallery(self, newest: bool = False) -> Gallery:
        """Return the served generation, reopened when it has changed. Raises IndexProblem.

        While one thread opens a new generation, the others keep using the previous one; `newest` waits for the new one.
        If it is damaged, the last intact one is served and `warning` says so.
        """
        served, pointer = self._served, self._current()
        if served is not None and served.pointer == pointer:
            return served.gallery
        if not self._opening.acquire(blocking=newest or served is None):
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
        """Return a warning for users about the served index; empty if there is none."""
        return " ".join(filter(None, [self._served.warning if self._served else "", self.store_problem()]))

    def store_problem(self) -> str:
        """Return a message while Milvus is unreachable; empty if it is reachable or not used."""
        if self.settings.search.store != "milvus" or self._served is None:
            return ""
        publisher = self._publisher()
        if publisher is None or not publisher.milvus.is_unavailable():
            return ""
        return MEANWHILE if self.settings.milvus.fallback else publisher.milvus.trouble

    def read_picture(self, data: bytes, name: str) -> Image:
        """Decode a user's picture in a separate process. Raises UnreadableImage."""
        with self._lock:
            if self._pool is None:
                self._pool = DecoderPool()
        return self._pool.decode(data, name)

    def search(self, gallery: Gallery, image: Image, box: Box, top: int = 10, ranking: str = "fast") -> list[Hit]:
        """Return the gallery images that contain the object in the box, best first.

        Raises BadBox, IndexProblem (StoreUnavailable while Milvus is unreachable), WeightsMissing, UnknownName.
        """
        return self.answer(gallery, Request((Example("", box),), ranking), {"": image}, top)

    def answer(self, gallery: Gallery, request: Request, images: Mapping[str, Image], top: int = 10) -> list[Hit]:
        """Answer a request with gallery images, best first; `top` 0 returns all. `images`: query images by SHA-256.

        Raises the errors of `search`, BadBox also when the request has neither words nor a box, and GalleryProblem
        when the requested folder is empty.
        """
        settings = self.settings.search

        def describe(image: Image, box: Box, context: float) -> Query:
            embedder = self.embedder(gallery.manifest.recipe)
            return embedder.query(image, box, gallery.whitening, context, settings.query_mode)

        answering = Answering(
            describe, lambda: self.text_scorer(gallery), settings.min_similarity, settings.score_tie_eps
        )
        # A search is many small matrix products, which are several times slower on several BLAS threads.
        with one_blas_thread():
            return answer(request, images, gallery, answering, top)

    def text_scorer(self, gallery: Gallery) -> TextScorer:
        """Return the cached scorer for text searches of a gallery. Raises RuntimeMissing, IndexProblem."""

        def make() -> TextScorer:
            tower = text_tower(gallery.manifest.recipe)
            if tower is None and not gallery.class_scores.classes.shape[1]:
                raise IndexProblem(
                    f"An index built with {gallery.manifest.recipe.backbone} cannot be searched by text; "
                    "rebuild it with clip-rn50, resnet50 or the bundled network."
                )
            whole = gallery.below("")
            return tower_text_scorer(whole, tower) if tower else class_text_scorer(whole)

        return self._text_scorers.get(gallery.folder, make)

    def embedder(self, recipe: Recipe) -> Embedder:
        """Return the cached embedder of a recipe. Raises IndexProblem, WeightsMissing, RuntimeMissing."""
        return self._embedders.get(recipe, lambda: embedder_for_searching(recipe, self.settings))

    def recipe_changes(self, gallery: Gallery) -> list[str]:
        """Return what the next update would change in the recipe; any change makes it read all images again."""
        return expected_changes(gallery.manifest.recipe, self.settings)

    def build(self, progress: Progress, full: bool = False, notify: Notify = lambda _: None) -> Path:
        """Update the index in this process and return the folder of the generation that is then served.

        `full` describes every image and learns the whitening again. `notify` receives the reason when all images must
        be read again. Without a configured gallery, the sample gallery is drawn first. Raises BuildRunning,
        BuildCancelled, GalleryProblem, DiskFull, WeightsMissing, RuntimeMissing, ClusterProblem, UnknownName, BadHead.
        Raises StoreUnavailable before any work when Milvus is configured but unreachable.
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
                from boxfind.samples.draw import draw_samples  # only a sample gallery needs it

                draw_samples(settings.sample_folder, both)
            embedder, note = embedder_for_building(settings, both)
            with start(settings, embedder) as executor:
                options = BuildOptions(note, full, settings.search.store, prepare, tell)
                folder = build(settings.gallery_dir, settings.index_dir, executor, both, options)
            if publisher:
                publisher.drop_others(settings.index_dir)
            return folder

    def start_build(self, full: bool = False) -> None:
        """Start a build in a separate process that outlives this one. Do nothing while a build is running.

        Raises IndexProblem when the index folder is not writable.
        """
        with self._lock:
            state = self._build_state()
            if state is None or state.state != "running":
                try:
                    self._build = BuildProcess(self._build_command(full), self.settings.index_dir)
                except OSError as error:
                    raise IndexProblem(f"The build cannot be started: {error.strerror}.") from None

    def cancel_build(self) -> None:
        """Ask the running build, whichever process started it, to stop. It stops within seconds."""
        request_cancel(self.settings.index_dir)

    def build_state(self) -> BuildState | None:
        """Return the state of the running or last build of any process; None if there has been none."""
        with self._lock:
            return self._build_state()

    def close(self) -> None:
        """Stop the decoder processes; the next image starts new ones. A running build continues."""
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
