"""The command `search`: find pictures by a boxed object, by text, or both."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from boxfind.collection_table import ALL, same_name
from boxfind.commands.filter_options import Album, Folder, Name, Pixels, Shape, Since, Until
from boxfind.commands.options import (
    AsJson,
    CollectionName,
    IndexDir,
    QueryMode,
    Rank,
    given_settings,
    note,
    settings_with,
)
from boxfind.settings import Settings
from retrieval.errors import BadBox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retrieval.images.decode import LoadedImage
    from retrieval.request import Request
    from retrieval.types import Hit

    Images = Mapping[str, LoadedImage]

Found = tuple[str, "Hit"]
"""The name of a collection, empty if there is only one, and a hit in it."""

Picture = Annotated[
    Path | None,
    typer.Option("--image", help="Query picture, or one of a file: catalogue.pdf#page=12, trip.mp4#t=83.20."),
]
BoxSides = Annotated[
    str | None, typer.Option(help="X,Y,W,H in pixels of the upright picture. Default: the whole picture.")
]
Top = Annotated[int, typer.Option(min=0, help="Maximum number of pictures; 0 lists all.")]
Text = Annotated[
    str | None,
    typer.Option(
        help="Text query: what is written in pictures (7-Eleven) or what they show (a panda). Text in quotation "
        "marks must be written. With --image, it re-ranks the results: red."
    ),
]


def search(
    index: IndexDir = None,
    collection: CollectionName = None,
    image: Picture = None,
    box: BoxSides = None,
    top: Top = 10,
    text: Text = None,
    rank: Rank = "fast",
    query_mode: QueryMode = None,
    folder: Folder = "",
    name: Name = "",
    since: Since = None,
    until: Until = None,
    shape: Shape = None,
    pixels: Pixels = 0,
    album: Album = "",
    as_json: AsJson = False,
) -> None:
    """Find gallery pictures that contain the object in a box, or that match a text.

    With --collection all, all collections are searched, and the picture of each hit is preceded by its collection.
    """
    from index.storage.sources import load_query
    from retrieval.ranking.confidence import NO_MATCH, no_match
    from retrieval.request import Example, PictureFilter, Request, box_from_text

    if image is None and (text is None or box):
        raise BadBox("Nothing to search for; pass --image, optionally with --box, or --text.")
    everywhere = index is None and collection is not None and same_name(collection, ALL)
    if everywhere:
        settings = given_settings(query_mode=query_mode)
    else:
        settings = settings_with(collection, index=index, query_mode=query_mode)
    images, examples = {}, []
    if image is not None:
        images[""] = load_query(image, settings.reading)
        examples.append(Example("", box_from_text(box) if box else images[""].whole))
    only = PictureFilter(name, since, until, shape or "", pixels, album)
    request = Request(tuple(examples), rank, folder=folder, words=text or "", only=only)
    found = (_in_all if everywhere else _in_one)(settings, request, images, top)
    if as_json:
        print(json.dumps([_row(n, *one) for n, one in enumerate(found, start=1)], ensure_ascii=False))
        return
    for n, (where, hit) in enumerate(found, start=1):
        print(_line(n, where, hit))
    if no_match([hit for _, hit in found]):
        note(NO_MATCH if found else "No pictures found.")


def _in_one(settings: Settings, request: "Request", images: "Images", top: int) -> list[Found]:
    from boxfind.engine import Engine
    from boxfind.search_scope import scope_of

    engine = Engine(settings)
    engine.check_album(request.only.album)
    gallery = engine.gallery()
    partly = scope_of([gallery]).sentence(engine.builds.state())
    if partly:
        note(partly)
    return [("", hit) for hit in engine.answer(gallery, request, images, top)]


def _in_all(settings: Settings, request: "Request", images: "Images", top: int) -> list[Found]:
    from boxfind.engines import Engines
    from boxfind.search_all import search_all

    answer = search_all(Engines(settings), request, images, top)
    for remark in answer.remarks:
        note(remark)
    return [(found.collection, found.hit) for found in answer.hits]


def _line(rank: int, collection: str, hit: "Hit") -> str:
    """Rank, score, match figure, confidence, picture and box, and the text that query and picture share."""
    from retrieval.printable_names import printable

    figure = "" if hit.match is None else hit.match
    place = f"{collection}: {hit.image}" if collection else hit.image
    box = ",".join(map(str, hit.region.box.xywh))
    lines = [hit.written] if hit.written else [line.text for line in hit.same_text[:2]]
    written = f"  written: {printable(', '.join(lines))}" if lines else ""
    return f"{rank:3d}  {hit.score:.4f}  {figure:>3} {hit.confidence:9s}  {printable(place)}  {box}{written}"


def _row(rank: int, collection: str, hit: "Hit") -> dict[str, object]:
    return {
        "rank": rank,
        **({"collection": collection} if collection else {}),
        "image": hit.image,
        "score": round(hit.score, 4),
        "similarity": round(hit.similarity, 4),
        "confidence": hit.confidence,
        "match": hit.match,
        "parts": {name: round(part, 4) for name, part in hit.parts.items()},
        "box": hit.region.box.xywh,
        "kind": hit.region.kind,
        "written": hit.written,
        "same_text": [{"text": line.text, "box": line.box.xywh} for line in hit.same_text],
    }
