"""The networks that searches use: each is loaded once, when it is first needed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from boxfind.embedders import class_names_file, embedder_for_searching, text_problem, text_tower
from boxfind.lazy_values import LazyValues
from boxfind.settings import Settings
from index.gallery import Gallery
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.errors import IndexProblem
from retrieval.optional_packages import RAPIDOCR
from retrieval.ranking import dot_products
from retrieval.text.text_search import TextScorer, class_text_scorer, describe_nothing, tower_text_scorer
from retrieval.text.written_text import QUERY_SIDE, TextReader
from retrieval.types import Image, WrittenLine

EMBEDDERS = 4
"""Number of most recently loaded networks to keep."""
TEXT_SCORERS = 4
"""Number of galleries, most recently searched by text, whose scorers are kept."""


class LoadedNetworks:
    """Thread-safe. While one thread loads a network, only those that need it wait."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._embedders: LazyValues[Recipe, Embedder] = LazyValues(keep=EMBEDDERS)
        self._text_scorers: LazyValues[Path, TextScorer] = LazyValues(keep=TEXT_SCORERS)
        self._text_readers: LazyValues[int, TextReader] = LazyValues(keep=1)

    def load(self, gallery: Gallery) -> None:
        """Load all networks that searches of a gallery by box use. Raises the errors of `embedder`."""
        dot_products.prepare()
        self.embedder(gallery.manifest.recipe)
        read = self.query_reader()
        if read and gallery.has_text:
            read(np.zeros((32, 32, 3), np.uint8))

    def embedder(self, recipe: Recipe) -> Embedder:
        """Return the embedder of a recipe. Raises IndexProblem, WeightsMissing, RuntimeMissing."""
        return self._embedders.get(recipe, lambda: embedder_for_searching(recipe, self._settings))

    def query_reader(self) -> Callable[[Image], list[WrittenLine]] | None:
        """Return the function that reads what is written in a query crop; None if the settings leave text out."""
        return self._read_query if self._settings.build.text and RAPIDOCR.installed else None

    def text_scorer(self, gallery: Gallery) -> TextScorer:
        """Return the scorer for text searches of a gallery. Raises RuntimeMissing, IndexProblem."""

        def make() -> TextScorer:
            problem = self._description_problem(gallery)
            if problem and gallery.written_text.revision():
                return describe_nothing
            if problem:
                raise IndexProblem(problem)
            tower, whole = text_tower(gallery.manifest.recipe), gallery.below("")
            return (
                tower_text_scorer(whole, tower) if tower else class_text_scorer(whole, class_names_file(self._settings))
            )

        return self._text_scorers.get(gallery.folder, make)

    def text_problem(self, gallery: Gallery) -> str:
        """Return why a gallery cannot be searched by text; empty if it can. Loads no network."""
        return "" if gallery.written_text.revision() else self._description_problem(gallery)

    def _description_problem(self, gallery: Gallery) -> str:
        """Why the network cannot search by description; empty if it can."""
        return text_problem(gallery.manifest.recipe, classified=gallery.class_scores.classes.shape[1] > 0)

    def _read_query(self, crop: Image) -> list[WrittenLine]:
        return self._text_readers.get(QUERY_SIDE, TextReader.of_queries).read(crop)
