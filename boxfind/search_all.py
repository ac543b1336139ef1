"""Search several collections at once: each answers for itself, and their hits are merged by match figure."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boxfind.collection_table import CollectionsProblem
from boxfind.engine import Engine
from boxfind.engines import Engines
from boxfind.logs import log
from boxfind.search_scope import scope_of
from index.gallery import Gallery
from retrieval.errors import BoxfindError, IndexProblem, RuntimeMissing, WeightsMissing
from retrieval.images.decode import LoadedImage
from retrieval.printable_names import shown
from retrieval.request import Request
from retrieval.types import Hit

BY_WORDS = "Words are compared within each collection, so the order of results of different collections is only rough."
ONE_ONLY = (
    "Folders, albums and marks belong to one collection; choose that collection, or leave them out to search all."
)
NOT_COMPARABLE = (
    "These collections were indexed with different settings, so figures of different collections compare only roughly; "
    "rebuild them with the same settings to change that."
)


@dataclass(frozen=True, slots=True)
class FoundHit:
    """A hit, and the collection and gallery that hold its picture."""

    collection: str
    gallery: Gallery
    hit: Hit


@dataclass(frozen=True, slots=True)
class FoundInAll:
    """The hits of several collections, best first."""

    hits: tuple[FoundHit, ...]
    galleries: Mapping[str, Gallery]
    """The galleries that were searched, by the name of their collection."""
    without_index: tuple[str, ...]
    """The names of collections without a usable index."""
    without_answer: tuple[str, ...]
    """The names of collections whose store or network cannot be used, or cannot answer this request."""

    @property
    def remarks(self) -> list[str]:
        """Sentences that a reader of the hits must know."""
        missing = f"No usable index, so not searched: {', '.join(map(shown, self.without_index))}."
        failed = f"These collections cannot answer this search: {', '.join(map(shown, self.without_answer))}."
        scope = scope_of(self.galleries.values())
        partly = f"Searched {scope.counts}; the index of a collection is not complete."
        recipes = {gallery.manifest.recipe for gallery in self.galleries.values()}
        return [
            *[missing] * bool(self.without_index),
            *[failed] * bool(self.without_answer),
            *[partly] * (scope.found is not None),
            *[NOT_COMPARABLE] * (len(recipes) > 1),
            *[BY_WORDS] * (len(self.galleries) > 1 and any(found.hit.match is None for found in self.hits)),
        ]


def search_all(
    engines: Engines,
    request: Request,
    images: Mapping[str, LoadedImage],
    top: int = 10,
    client: str = "",
) -> FoundInAll:
    """Answer a request with the images of all collections, best first; `top` 0 returns all.

    Collections whose index, store or network cannot be used are left out, unless all of them are. Raises the errors of
    Engine.answer, and CollectionsProblem for a request with a folder, an album or marks: they belong to one collection.
    """
    if request.folder or request.only.album or request.positives or request.negatives:
        raise CollectionsProblem(ONE_ONLY)
    opened, without_index = open_all(engines)
    galleries, answers, problem = dict[str, Gallery](), list[list[FoundHit]](), BoxfindError("")
    without_answer = list[str]()
    for name, (engine, gallery) in opened.items():
        try:
            hits = engine.answer(gallery, request, images, top, client)
        except (IndexProblem, WeightsMissing, RuntimeMissing) as error:
            log.warning("The collection %s is not searched: %s", name, error)
            without_answer.append(name)
            problem = error
            continue
        galleries[name] = gallery
        answers.append([FoundHit(name, gallery, hit) for hit in hits])
    if not galleries:
        raise problem
    best = merged(answers)
    return FoundInAll(tuple(best[:top] if top else best), galleries, tuple(without_index), tuple(without_answer))


def open_all(engines: Engines) -> tuple[dict[str, tuple[Engine, Gallery]], list[str]]:
    """Open the gallery of every collection; also returns the names of those without a usable index.

    Raises CollectionsProblem, and IndexProblem if none has one.
    """
    found, missing, problem = dict[str, tuple[Engine, Gallery]](), list[str](), IndexProblem("")
    for collection in engines.collections.all():
        engine = engines.of(collection)
        try:
            found[collection.name] = engine, engine.gallery()
        except IndexProblem as error:
            log.warning("The collection %s is not searched: %s", collection.name, error)
            missing.append(collection.name)
            problem = error
    if not found:
        raise problem
    return found, missing


def merged(answers: Sequence[Sequence[FoundHit]]) -> list[FoundHit]:
    """Merge answers, each best first, by match figure and score. The order of each answer is kept.

    Figures mean the same in all collections. Where words decide there is none: then scores alone are compared, also
    those of a collection that knows no words.
    """
    by_words = any(found.hit.match is None for answer in answers for found in answer)
    return list(
        heapq.merge(*answers, key=lambda found: (0 if by_words else found.hit.match, found.hit.score), reverse=True)
    )
