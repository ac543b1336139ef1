"""Search routes: by an uploaded picture, by a gallery picture, or by text."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, File

from boxfind.api.dependencies import App, Client, ServedCollection, ServingAny, public_problems, served
from boxfind.api.requests import Search, StoredSearch, WordsSearch
from boxfind.api.responses import FoundPicture, Line, Place, SearchResponse, answers
from boxfind.search_all import FoundHit, open_all, search_all
from boxfind.searches.link import MOST_BOXES
from index.operations.read_original import read_original
from retrieval.errors import BadBox
from retrieval.images.decode import LoadedImage
from retrieval.ranking.confidence import no_match
from retrieval.request import Example, Request, Role, box_from_text
from retrieval.types import Box, Region, WrittenLine

routes = APIRouter(prefix="/search", tags=["search"], responses=answers(404, 501))
QUERY = ""
"""The key of the only query image of a search."""


@routes.post("")
def search(asked: Annotated[Search, File()], serving: ServingAny, client: Client) -> SearchResponse:
    """Find gallery pictures that contain the object in a box of the uploaded picture."""
    _check_served(serving)
    name = asked.picture.filename or "The picture"
    image = serving.engine.visitor_pictures.read(asked.picture.file.read, name, client, place=asked.place)
    asked.picture.file.close()  # frees the disk while the search waits
    return _answer(serving, client, asked, {QUERY: image}, _examples(asked, image))


@routes.post("/stored")
def search_stored(asked: StoredSearch, app: App, serving: ServingAny, client: Client) -> SearchResponse:
    """Find gallery pictures that contain the object in a box of a gallery picture."""
    _check_served(serving)
    holder = served(app, asked.of) if asked.of else serving
    read = partial(read_original, holder.gallery(), asked.image)
    image = serving.engine.visitor_pictures.read(read, asked.image, client)
    box = Box.from_xywh(*asked.box) if asked.box else image.whole
    return _answer(serving, client, asked, {QUERY: image}, (Example(QUERY, box),))


@routes.post("/words")
def search_words(asked: WordsSearch, serving: ServingAny, client: Client) -> SearchResponse:
    """Find gallery pictures that match a text."""
    _check_served(serving)
    return _answer(serving, client, asked)


def _examples(asked: Search, image: LoadedImage) -> tuple[Example, ...]:
    """Return an example for every box sent, in its role. Raises BadBox."""
    texts: dict[Role, list[str]] = {"view": asked.view, "also": asked.also, "not": asked.unwanted}
    if sum(map(len, texts.values())) >= MOST_BOXES:
        raise BadBox(f"A search can have at most {MOST_BOXES} boxes; remove some.")
    box = box_from_text(asked.box) if asked.box else image.whole
    others = [Example(QUERY, box_from_text(text), role) for role in texts for text in texts[role]]
    return Example(QUERY, box), *others


def _answer(
    serving: ServedCollection,
    client: str,
    asked: Search | StoredSearch | WordsSearch,
    images: Mapping[str, LoadedImage] | None = None,
    examples: tuple[Example, ...] = (),
) -> SearchResponse:
    request = Request(examples, asked.ranking, folder=asked.folder, words=asked.words, only=asked.only)
    if serving.everywhere:
        answer = search_all(serving.engines, request, images or {}, asked.top, client)
        hits, generation, remarks = answer.hits, "", answer.remarks
    else:
        gallery = serving.gallery()
        generation, remarks = gallery.folder.name, []
        serving.engine.check_album(asked.album)
        answered = serving.engine.answer(gallery, request, images or {}, asked.top, client)
        hits = tuple(FoundHit(serving.name, gallery, hit) for hit in answered)
    return SearchResponse(
        generation=generation,
        remarks=remarks,
        no_match=no_match([found.hit for found in hits]),
        hits=[_found(rank, found) for rank, found in enumerate(hits, start=1)],
    )


def _check_served(serving: ServedCollection) -> None:
    """Raises IndexProblem, with a public message, before a picture is decoded for nothing."""
    if not serving.everywhere:
        serving.gallery()
        return
    with public_problems():
        open_all(serving.engines)


def _found(rank: int, found: FoundHit) -> FoundPicture:
    hit = found.hit
    entry = found.gallery.entry(hit.image)
    return FoundPicture(
        rank=rank,
        collection=found.collection,
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
        same_text=[line(written) for written in hit.same_text],
    )


def place(region: Region) -> Place:
    return Place(box=[*region.box.xywh], kind=region.kind)


def line(written: WrittenLine) -> Line:
    return Line(text=written.text, box=[*written.box.xywh])
