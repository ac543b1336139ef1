"""Settings become live objects here, and only here: the embedder, the gallery, a search, a build."""

import sys
import threading
from functools import cache
from pathlib import Path

from index.build import build
from index.gallery import Gallery, open_gallery
from index.generation import current_folder
from index.jobs import reported, start_build
from retrieval.backbones import BACKBONES, Backbone, choose_backbone
from retrieval.embed import Embedder
from retrieval.errors import IndexProblem
from retrieval.recipe import Recipe
from retrieval.runtimes import RunOptions, choose_runtime
from retrieval.search import search
from retrieval.types import Box, Hit, Image
from retrieval.weights import Progress, need_weights
from settings import PROJECT, Settings


class Engine:
    """One a process. Every method may be called from many threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._gallery: Gallery | None = None
        self._embedders: dict[Recipe, Embedder] = {}

    def gallery(self) -> Gallery:
        """The served generation, opened anew when a build has published another. Raises IndexProblem."""
        folder = current_folder(self.settings.index_dir)
        with self._lock:
            if self._gallery is None or self._gallery.folder != folder:
                self._gallery = open_gallery(folder)
            return self._gallery

    def search(
        self, gallery: Gallery, image: Image, box: Box, top: int = 10, ranking: str = "fast", context: float = 1.0
    ) -> list[Hit]:
        """The gallery images that hold what is in the box. Raises BadBox, IndexProblem, WeightsMissing."""
        query = self.embedder(gallery.manifest.recipe).query(image, box, gallery.whitening, context)
        return search(query, gallery, ranking, top)

    def embedder(self, recipe: Recipe) -> Embedder:
        """The network an index was built with, ready to run. Raises IndexProblem, WeightsMissing, RuntimeMissing."""
        with self._lock:
            if recipe not in self._embedders:
                self._embedders[recipe] = make_embedder(recipe, self.settings)
            return self._embedders[recipe]

    def build(self, progress: Progress) -> Path:
        """Indexes the gallery in this process, telling everyone who reads the build's state; see index.build."""
        with reported(self.settings.index_dir) as report:

            def both(stage: str, done: int, total: int) -> None:
                report(stage, done, total)
                progress(stage, done, total)

            backbone, note = choose_backbone(self.settings.backbone, self.settings.offline, both)
            if note:
                both(note, 0, 0)
            recipe = make_recipe(backbone, self.settings)
            embedder = make_embedder(recipe, self.settings, streams=self.settings.workers)
            return build(self.settings.gallery_dir, self.settings.index_dir, embedder, self.settings.workers, both)

    def start_build(self) -> None:
        """The same in a process of its own, which goes on when the page is closed."""
        start_build(
            [
                *(sys.executable, str(PROJECT / "cli.py"), "build"),
                *("--gallery", str(self.settings.gallery_dir), "--index", str(self.settings.index_dir)),
                *("--backbone", self.settings.backbone),
            ],
            self.settings.index_dir,
        )


@cache
def shared_engine() -> Engine:
    """The engine of this process."""
    return Engine(Settings())


def make_recipe(backbone: Backbone, settings: Settings) -> Recipe:
    """What a new index is built with."""
    return Recipe(
        backbone=backbone.name,
        weights_sha256=backbone.weights.sha256,
        preprocessing=backbone.preprocessing,
        side=settings.side,
        query_side=settings.query_side,
        regions=settings.regions,
        grid_levels=settings.grid_levels,
        pooling=settings.pooling,
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
    name = f"{backbone.name}-{backbone.weights.sha256[:12]}-{backbone.preprocessing}.xml"
    options = RunOptions(recipe.precision, streams, settings.data / "networks" / name)
    return Embedder(recipe, runtime.start(lambda: backbone.make(weights), options))
