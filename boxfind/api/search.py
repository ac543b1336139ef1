"""Search routes: by an uploaded picture, by a gallery picture, or by text."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, File

from boxfind.api.dependencies import Dependencies, SearchSlot, Serving
from boxfind.api.schemas import Asked, FoundPicture, Place, Search, SearchResponse, StoredSearch, WordsSearch, answers
from boxfind.export.search_result import read_original
from boxfind.searches.link import MOST_BOXES
from index.gallery import Gallery
from retrieval.errors import BadBox
from retrieval.ranking.confidence import no_match
from retrieval.request import Example, Request, Role, box_from_text
from retrieval.types import Box, Hit, Image, Region

routes = APIRouter(prefix="/search", tags=["search"], dependencies=[SearchSlot], responses=answers(404, 501))
QUERY = ""
"""The key of the only query image of a search."""


@routes.post("")
def search(asked: Annotated[Search, File()], serving: Serving) -> SearchResponse:
    """Find gallery pictures that contain the object in a box of the uploaded picture."""
    gallery = serving.gallery()
    image = serving.engine.read_picture(asked.picture.file.read(), asked.picture.filename or "The picture")
    return _answer(serving, gallery, asked, asked.words, {QUERY: image}, _examples(asked, image))


@routes.post("/stored")
def search_stored(asked: StoredSearch, serving: Serving) -> SearchResponse:
    """Find gallery pictures that contain the object in a box of a gallery picture."""
    gallery = serving.gallery()
    image = serving.engine.read_picture(read_original(gallery, asked.image), asked.image)
    box = Box.from_xywh(*asked.box) if asked.box else Box.whole(image)
    return _answer(serving, gallery, asked, asked.words, {QUERY: image}, (Example(QUERY, box),))


@routes.post("/words")
def search_words(asked: WordsSearch, serving: Serving) -> SearchResponse:
    """Find gallery pictures that match a text."""
    return _answer(serving, serving.gallery(), asked, asked.words)


def _examples(asked: Search, image: Image) -> tuple[Example, ...]:
    """Return an example for every box sent, in its role. Raises BadBox."""
    texts: dict[Role, list[str]] = {"view": asked.view, "also": asked.also, "not": asked.unwanted}
    if sum(map(len, texts.values())) >= MOST_BOXES:
        raise BadBox(f"A search can have at most {MOST_BOXES} boxes; remove some.")
    box = box_from_text(asked.box) if asked.box else Box.whole(image)
    others = [Example(QUERY, box_from_text(text), role) for role in texts for text in texts[role]]
    return Example(QUERY, box), *others


def _answer(
    serving: Dependencies,
    gallery: Gallery,
    asked: Asked,
    words: str,
    images: Mapping[str, Image] | None = None,
    examples: tuple[Example, ...] = (),
) -> SearchResponse:
    request = Request(examples, asked.ranking, folder=asked.folder, words=words)
    hits = serving.engine.answer(gallery, request, images or {}, asked.top)
    found = [_found(gallery, rank, hit) for rank, hit in enumerate(hits, start=1)]
    return SearchResponse(generation=gallery.folder.name, no_match=no_match(hits), hits=found)


def _found(gallery: Gallery, rank: int, hit: Hit) -> FoundPicture:
    entry = gallery.entry(hit.image)
    return FoundPicture(
        rank=rank,
        image=hit.image,
        width=entry.width,
        height=entry.height,
        score=hit.score,
        similarity=hit.similarity,
        confidence=hit.confidence,
        parts=dict(hit.parts),
        box=[*hit.region.box.xywh],
        kind=hit.region.kind,
        others=[place(region) for region in hit.others],
    )


def place(region: Region) -> Place:
    return Place(box=[*region.box.xywh], kind=region.kind)
