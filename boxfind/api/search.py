"""Search routes: by an uploaded picture, by a gallery picture, or by text."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, File

from boxfind.api.dependencies import Client, Dependencies, Serving
from boxfind.api.schemas import FoundPicture, Line, Place, Search, SearchResponse, StoredSearch, WordsSearch, answers
from boxfind.searches.link import MOST_BOXES
from index.gallery import Gallery
from index.operations.read_original import read_original
from retrieval.errors import BadBox
from retrieval.images.decode import LoadedImage
from retrieval.ranking.confidence import no_match
from retrieval.request import Example, Request, Role, box_from_text
from retrieval.types import Box, Hit, Region

routes = APIRouter(prefix="/search", tags=["search"], responses=answers(404, 501))
QUERY = ""
"""The key of the only query image of a search."""


@routes.post("")
def search(asked: Annotated[Search, File()], serving: Serving, client: Client) -> SearchResponse:
    """Find gallery pictures that contain the object in a box of the uploaded picture."""
    gallery = serving.gallery()
    name = asked.picture.filename or "The picture"
    image = serving.engine.read_picture(asked.picture.file.read, name, client, place=asked.place)
    asked.picture.file.close()  # frees the disk while the search waits
    return _answer(serving, client, gallery, asked, {QUERY: image}, _examples(asked, image))


@routes.post("/stored")
def search_stored(asked: StoredSearch, serving: Serving, client: Client) -> SearchResponse:
    """Find gallery pictures that contain the object in a box of a gallery picture."""
    gallery = serving.gallery()
    image = serving.engine.read_picture(partial(read_original, gallery, asked.image), asked.image, client)
    box = Box.from_xywh(*asked.box) if asked.box else image.whole
    return _answer(serving, client, gallery, asked, {QUERY: image}, (Example(QUERY, box),))


@routes.post("/words")
def search_words(asked: WordsSearch, serving: Serving, client: Client) -> SearchResponse:
    """Find gallery pictures that match a text."""
    return _answer(serving, client, serving.gallery(), asked)


def _examples(asked: Search, image: LoadedImage) -> tuple[Example, ...]:
    """Return an example for every box sent, in its role. Raises BadBox."""
    texts: dict[Role, list[str]] = {"view": asked.view, "also": asked.also, "not": asked.unwanted}
    if sum(map(len, texts.values())) >= MOST_BOXES:
        raise BadBox(f"A search can have at most {MOST_BOXES} boxes; remove some.")
    box = box_from_text(asked.box) if asked.box else image.whole
    others = [Example(QUERY, box_from_text(text), role) for role in texts for text in texts[role]]
    return Example(QUERY, box), *others


def _answer(
    serving: Dependencies,
    client: str,
    gallery: Gallery,
    asked: Search | StoredSearch | WordsSearch,
    images: Mapping[str, LoadedImage] | None = None,
    examples: tuple[Example, ...] = (),
) -> SearchResponse:
    serving.engine.check_album(asked.album)
    request = Request(examples, asked.ranking, folder=asked.folder, words=asked.words, only=asked.only)
    hits = serving.engine.answer(gallery, request, images or {}, asked.top, client)
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
        match=hit.match,
        parts=dict(hit.parts),
        box=[*hit.region.box.xywh],
        kind=hit.region.kind,
        written=hit.written,
        others=[place(region) for region in hit.others],
        same_text=[Line(text=line.text, box=[*line.box.xywh]) for line in hit.same_text],
    )


def place(region: Region) -> Place:
    return Place(box=[*region.box.xywh], kind=region.kind)
