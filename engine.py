"""Settings become live objects here, and only here: the embedder, the gallery, a search, a build."""

import sys
import threading
from pathlib import Path

from threadpoolctl import ThreadpoolController

from index.build import build
from index.gallery import Gallery, open_gallery
from index.generation import current_folder
from index.jobs import BuildProcess, BuildState, build_state, building
from retrieval.backbones import BACKBONES, Backbone, choose_backbone
from retrieval.embed import Embedder
from retrieval.errors import IndexProblem
from retrieval.recipe import Recipe
from retrieval.runtimes import RunOptions, choose_runtime
from retrieval.search import search
from retrieval.types import Box, Hit, Image
from retrieval.weights import Progress, need_weights
from samples.draw import draw_samples
from settings import PROJECT, Settings


class Engine:
    """One a process. Every method may be called from many threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._gallery: Gallery | None = None
        self._embedders: dict[Recipe, Embedder] = {}
        self._build: BuildProcess | None = None
        self._controller: ThreadpoolController | None = None

    def gallery(self) -> Gallery:
        """The served generation, opened anew when a build has published another. Raises IndexProblem."""
        folder = current_folder(self.settings.index_dir)
        with self._lock:
            while self._gallery is None or self._gallery.folder != folder:
                try:
                    self._gallery = open_gallery(folder)
                except IndexProblem:
                    newer = current_folder(self.settings.index_dir)
                    if newer == folder:
                        raise
                    folder = newer  # builds went by while it was being opened, and took it away
            return self._gallery

    def search(
        self, gallery: Gallery, image: Image, box: Box, top: int = 10, ranking: str = "fast", context: float = 1.0
    ) -> list[Hit]:
        """The gallery images that hold what is in the box. Raises BadBox, IndexProblem, WeightsMissing, UnknownName."""
        embedder = self.embedder(gallery.manifest.recipe)
        # A search is many small matrix products: shared out among threads each would take several times as long.
        with self._libraries().limit(limits=1, user_api="blas"):
            return search(embedder.query(image, box, gallery.whitening, context), gallery, ranking, top)

    def embedder(self, recipe: Recipe) -> Embedder:
        """The network an index was built with, ready to run. Raises IndexProblem, WeightsMissing, RuntimeMissing."""
        with self._lock:
            if recipe not in self._embedders:
                self._embedders[recipe] = make_embedder(recipe, self.settings)
            return self._embedders[recipe]

    def build(self, progress: Progress) -> Path:
        """Indexes the gallery in this process; returns the new generation's folder.

        Without a configured gallery the sample gallery is drawn first. Raises BuildRunning, GalleryProblem,
        WeightsMissing.
        """
        settings = self.settings
        with building(settings.index_dir) as report:

            def both(stage: str, done: int, total: int) -> None:
                report(stage, done, total)
                progress(stage, done, total)

            if settings.is_sample:
                draw_samples(settings.sample_folder, both)
            backbone, note = choose_backbone(settings.backbone, settings.offline, both)
            recipe = make_recipe(backbone, settings)
            embedder = make_embedder(recipe, settings, streams=settings.workers)
            return build(settings.gallery_dir, settings.index_dir, embedder, settings.workers, both, note)

    def start_build(self) -> None:
        """The same in a process of its own, which goes on when the page is closed. Does nothing while one runs."""
        with self._lock:
            state = self._build_state()
            if state is None or state.state != "running":
                self._build = BuildProcess(self._build_command(), self.settings.index_dir)

    def build_state(self) -> BuildState | None:
        """The build that runs or was the last to run, whoever started it; None when there never was one."""
        with self._lock:
            return self._build_state()

    def _libraries(self) -> ThreadpoolController:
        """Made once, when all of them are loaded: looking for them takes longer than a search."""
        with self._lock:
            if self._controller is None:
                self._controller = ThreadpoolController()
            return self._controller

    def _build_state(self) -> BuildState | None:
        return self._build.state() if self._build else build_state(self.settings.index_dir)

    def _build_command(self) -> list[str]:
        settings = self.settings
        command = [sys.executable, str(PROJECT / "cli.py"), "build"]
        if settings.gallery:
            command += ["--gallery", str(settings.gallery_dir)]
        return [*command, "--index", str(settings.index_dir)]


def make_recipe(backbone: Backbone, settings: Settings) -> Recipe:
    """What a new index is built with."""
    return Recipe(
        backbone=backbone.name,
        weights_sha256=backbone.weights.sha256,
        preprocessing=backbone.preprocessing,
        side=settings.side,
        query_side=settings.query_side,
        query_views=settings.query_views,
        regions=settings.regions,
        grid_levels=settings.grid_levels,
        distinct=settings.distinct,
        pooling=settings.pooling,
        fine=settings.fine,
        dimensions=settings.dimensions,
        precision=choose_runtime(settings.runtime).precisions[0],
    )


def make_embedder(recipe: Recipe, settings: Settings, streams: int = 1) -> Embedder:
    """Raises IndexProblem when this program cannot make vectors that compare with the recipe's."""
    backbone = BACKBONES.get(recipe.backbone)
    if backbone is None:
        raise IndexProblem(f"The index was built with {recipe.backbone}, which this program does not have. Rebuild it.")
    if (recipe.weights_sha256, recipe.preprocessing) != (backbone.weights.sha256, backbone.preprocessing):
        raise IndexProblem(
            f"The index was built with {recipe.backbone} (weights {recipe.weights_sha256[:8]}, preprocessing "
            f"{recipe.preprocessing}); this program has weights {backbone.weights.sha256[:8]}, preprocessing "
            f"{backbone.preprocessing}. Rebuild the index."
        )
    weights = need_weights(backbone.weights)
    runtime = choose_runtime(settings.runtime, recipe.precision)
    name = f"{backbone.name}-{backbone.weights.sha256[:12]}-{backbone.preprocessing}-{len(backbone.channels)}.xml"
    options = RunOptions(recipe.precision, streams, settings.data / "networks" / name)
    return Embedder(recipe, runtime.start(lambda: backbone.make(weights), options))
