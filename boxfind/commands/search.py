"""The command `search`: find pictures by a boxed object, by text, or both."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from boxfind.commands.filter_options import Album, Folder, Name, Pixels, Shape, Since, Until, picture_filter
from boxfind.commands.options import AsJson, IndexDir, QueryMode, Rank, note, settings_with
from retrieval.errors import BadBox

if TYPE_CHECKING:
    from retrieval.types import Hit


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
    index: IndexDir,
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
    """Find gallery pictures that contain the object in a box, or that match a text."""
    from boxfind.engine import Engine
    from index.storage.sources import load_query
    from retrieval.ranking.confidence import NO_MATCH, no_match
    from retrieval.request import Example, Request, box_from_text

    if image is None and (text is None or box):
        raise BadBox("Nothing to search for; pass --image, optionally with --box, or --text.")
    settings = settings_with(index=index, query_mode=query_mode)
    engine, images, examples = Engine(settings), {}, []
    only = picture_filter(engine, name, since, until, shape, pixels, album)
    if image is not None:
        images[""] = load_query(image, settings.reading)
        examples.append(Example("", box_from_text(box) if box else images[""].whole))
    request = Request(tuple(examples), rank, folder=folder, words=text or "", only=only)
    hits = engine.answer(engine.gallery(), request, images, top)
    if as_json:
        print(json.dumps([_row(n, hit) for n, hit in enumerate(hits, start=1)], ensure_ascii=False))
        return
    for n, hit in enumerate(hits, start=1):
        print(_line(n, hit))
    if no_match(hits):
        note(NO_MATCH if hits else "No pictures found.")


def _line(rank: int, hit: "Hit") -> str:
    """Rank, score, match figure, confidence, picture and box, and the text that query and picture share."""
    from retrieval.printable_names import printable

    figure = "" if hit.match is None else hit.match
    box = ",".join(map(str, hit.region.box.xywh))
    lines = [hit.written] if hit.written else [line.text for line in hit.same_text[:2]]
    written = f"  written: {printable(', '.join(lines))}" if lines else ""
    return f"{rank:3d}  {hit.score:.4f}  {figure:>3} {hit.confidence:9s}  {printable(hit.image)}  {box}{written}"


def _row(rank: int, hit: "Hit") -> dict[str, object]:
    return {
        "rank": rank,
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
