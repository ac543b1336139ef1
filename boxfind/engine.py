"""Settings become live objects here, and only here: the embedder, the gallery, a search, a build."""

import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from boxfind.embedders import embedder_for_building, embedder_for_searching, text_tower
from boxfind.executors import EXECUTORS
from boxfind.settings import PROJECT, Settings
from boxfind.stores import preparation, publisher_for
from index.building.build import build
from index.building.decoder_pool import DecoderPool
from index.building.jobs import BuildProcess, BuildState, build_state, building, request_cancel
from index.gallery import Gallery, make_gallery
from index.storage.generation import served_generation
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.errors import BadBox, IndexProblem, pick
from retrieval.ranking.feedback import refine
from retrieval.ranking.multi_object import merge_views, search_multiple
from retrieval.ranking.region_search import prefer_whole
from retrieval.request import Example, Request
from retrieval.text.text_search import TextScorer, class_text_scorer, rerank_by_text, search_by_text, tower_text_scorer
from retrieval.types import Box, Hit, Image, Progress

if TYPE_CHECKING:  # it needs pymilvus
    from index.milvus.publish import Publisher

CHOICE = 100
"""Pictures that a box finds, among which words choose."""
MEANWHILE = "The vector engine is away; until it is back the vectors are searched on this machine."


class Engine:
    """One a process. Every method may be called from many threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._gallery: Gallery | None = None
        self._pointer, self._warning = "", ""
        self._pool: DecoderPool | None = None
        self._handover: Publisher | None = None
        self._embedders: dict[Recipe, Embedder] = {}
        self._build: BuildProcess | None = None
        self._worded = threading.Lock()
        self._words: tuple[Path, TextScorer] | None = None

    def gallery(self) -> Gallery:
        """The served generation, opened anew when another is served now. Raises IndexProblem.

        When it is damaged it is the last good one before it, and `warning` says so.
        """
        with self._lock:
            pointer = self._current()
            if self._gallery is None or pointer != self._pointer:
                generation, warning = served_generation(self.settings.index_dir)
                if self._gallery is None or self._gallery.folder != generation.folder:
                    publisher = self._handed_over()
                    collection = publisher.collection(generation) if publisher else None
                    self._gallery = make_gallery(generation, self.settings.store, self.settings.fetch_k, collection)
                self._pointer, self._warning = pointer, warning
            return self._gallery

    def warning(self) -> str:
        """What visitors should know of the index that `gallery` gave out last; empty when all is well."""
        return " ".join(filter(None, [self._warning, self.store_away()]))

    def store_away(self) -> str:
        """A sentence about the vector engine while it cannot be asked; empty when it can, or there is none."""
        if self._handover is None or not self._handover.milvus.is_away():
            return ""
        return MEANWHILE if self.settings.milvus_fallback else self._handover.milvus.trouble

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
        if not request.asks:
            raise BadBox("No box shows what to look for: draw one round the object.")
        part, settings = gallery.below(request.folder), self.settings
        count = top + len(request.negatives) if top else 0  # so that enough are left without the wrong ones
        # A search is many small matrix products: shared out among threads each would take several times as long.
        with one_blas_thread():
            if not request.wanted:
                positives = gallery.numbers(request.positives)
                hits = search_by_text(request.words, self.words(gallery), part, request.ranking, count, positives)
            elif not request.words:
                hits = self._boxed(gallery, part, request, images, count)
            else:
                hits = self._boxed(gallery, part, request, images, max(count, CHOICE) if count else 0)
                hits = rerank_by_text(request.words, self.words(gallery), part, hits)
        kept = [hit for hit in hits if hit.image not in request.negatives and hit.similarity >= settings.min_similarity]
        return kept[: top or None]

    def words(self, gallery: Gallery) -> TextScorer:
        """What makes a gallery searchable by sentences; made once. Raises RuntimeMissing, IndexProblem."""
        tower = text_tower(gallery.manifest.recipe)
        if tower is None and not gallery.class_scores.classes.shape[1]:
            raise IndexProblem(
                f"Pictures indexed with {gallery.manifest.recipe.backbone} cannot be searched by words; "
                "build the index with clip-rn50, resnet50 or the bundled network."
            )
        with self._worded:
            if self._words is None or self._words[0] != gallery.folder:
                whole = gallery.below("")
                words = tower_text_scorer(whole, tower) if tower else class_text_scorer(whole)
                self._words = gallery.folder, words
            return self._words[1]

    def _boxed(
        self, gallery: Gallery, part: Gallery, request: Request, images: Mapping[str, Image], count: int
    ) -> list[Hit]:
        embedder, settings = self.embedder(gallery.manifest.recipe), self.settings
        views, others, unwanted = (
            [
                embedder.query(
                    images[example.picture], example.box, gallery.whitening, request.context, settings.query_mode
                )
                for example in request.examples
                if example.role in roles
            ]
            for roles in (("object", "view"), ("also",), ("not",))
        )
        positives, negatives = (gallery.numbers(marked) for marked in (request.positives, request.negatives))
        asked = refine(merge_views(views), positives, negatives, gallery)
        hits = search_multiple([asked, *others], unwanted, part, request.ranking, count)
        return prefer_whole(hits, asked, part, settings.score_tie_eps)

    def embedder(self, recipe: Recipe) -> Embedder:
        """The network an index was built with, ready to run. Raises IndexProblem, WeightsMissing, RuntimeMissing."""
        with self._lock:
            if recipe not in self._embedders:
                self._embedders[recipe] = embedder_for_searching(recipe, self.settings)
            return self._embedders[recipe]

    def build(self, progress: Progress, full: bool = False) -> Path:
        """Brings the index up to date in this process; returns the folder of the generation that is served then.

        `full` looks at every picture and learns everything anew. Without a configured gallery the sample gallery is
        drawn first. Raises BuildRunning, BuildCancelled, GalleryProblem, DiskFull, WeightsMissing, RuntimeMissing,
        ClusterProblem, UnknownName, and StoreAway, at once, when the engine that is to have the vectors is away.
        """
        settings = self.settings
        start = pick(EXECUTORS, "engine", settings.engine)
        with building(settings.index_dir) as report:

            def both(stage: str, done: int, total: int) -> None:
                report(stage, done, total)
                progress(stage, done, total)

            with self._lock:
                publisher = self._handed_over()
            prepare = preparation(publisher, both)
            if settings.is_sample:
                from boxfind.samples.draw import draw_samples  # needed once

                draw_samples(settings.sample_folder, both)
            embedder, note = embedder_for_building(settings, both)
            with start(settings, embedder) as executor:
                folder = build(
                    settings.gallery_dir, settings.index_dir, executor, both, note, full, settings.store, prepare
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

    def _handed_over(self) -> "Publisher | None":
        if self._handover is None:
            self._handover = publisher_for(self.settings)
        return self._handover

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
