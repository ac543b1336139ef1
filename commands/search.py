"""Asking the index: one box, or a whole table of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.options import AsJson, IndexDir, Rank, note, notes, settings_with
from retrieval.errors import BadBox, BoxfindError
from terminal import TerminalProgress

if TYPE_CHECKING:
    from evaluation.batch import Answer
    from retrieval.types import Hit

app = typer.Typer()


@app.command()
def search(
    index: IndexDir,
    image: Annotated[Path, typer.Option(help="The query picture.")],
    box: Annotated[
        str | None, typer.Option(help="X,Y,W,H in pixels of the upright picture; all of it if left out.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="How many pictures to list; 0 lists all.")] = 10,
    rank: Rank = "fast",
    as_json: AsJson = False,
) -> None:
    """List the gallery pictures that hold what is in the box."""
    from engine import Engine
    from retrieval.confidence import NO_MATCH, no_match
    from retrieval.images import load_image, printable
    from retrieval.types import Box

    engine = Engine(settings_with(index=index))
    picture = load_image(image)
    area = Box.from_xywh(*_numbers(box)) if box else Box.whole(picture)
    hits = engine.search(engine.gallery(), picture, area, top, rank)
    if as_json:
        print(json.dumps([_row(n, hit) for n, hit in enumerate(hits, start=1)], ensure_ascii=False))
        return
    for n, hit in enumerate(hits, start=1):
        box_text = ",".join(map(str, hit.region.box.xywh))
        print(f"{n:3d}  {hit.score:.4f}  {hit.confidence:8s}  {printable(hit.image)}  {box_text}")
    if no_match(hits):
        note(NO_MATCH)


@app.command()
def batch(
    index: IndexDir,
    queries: Annotated[Path, typer.Option(help="CSV with the columns query,image,x,y,w,h.")],
    images: Annotated[Path, typer.Option(help="Folder that the images of the queries are relative to.")],
    out: Annotated[Path, typer.Option(help="CSV to write: query,rank,image,score,x,y,w,h.")],
    top: Annotated[int, typer.Option(min=0, help="How many pictures a query; 0 lists all.")] = 100,
    rank: Rank = "fast",
) -> None:
    """Answer a whole table of queries."""
    from engine import Engine
    from evaluation.batch import answer_all
    from evaluation.dataset import read_queries, write_hits

    settings = settings_with(index=index)
    engine = Engine(settings)
    with TerminalProgress(notes) as report:
        asked = read_queries(queries, images)
        answers = answer_all(engine, engine.gallery(), asked, top, rank, report, settings.workers)
    write_hits(out, [(answer.query, answer.hits) for answer in answers])
    _warn_of_formulas(out, answers)
    problems = [answer.problem for answer in answers if answer.problem]
    for problem in problems:
        note(problem)
    if problems:
        raise BoxfindError(f"{len(problems)} of {len(answers)} queries could not be answered; the others are in {out}.")


def _row(rank: int, hit: "Hit") -> dict[str, object]:
    return {
        "rank": rank,
        "image": hit.image,
        "score": round(hit.score, 4),
        "similarity": round(hit.similarity, 4),
        "confidence": hit.confidence,
        "parts": {name: round(part, 4) for name, part in hit.parts.items()},
        "box": hit.region.box.xywh,
        "kind": hit.region.kind,
    }


def _warn_of_formulas(out: Path, answers: Sequence["Answer"]) -> None:
    """hits.csv is for programs, which find pictures by their ids: those are written as they are."""
    from index.skipped import harmless

    names = {name for answer in answers for name in (answer.query, *(hit.image for hit in answer.hits))}
    formulas = sum(harmless(name) != name for name in names)
    if formulas:
        note(
            f"{out} holds {formulas} names that begin like a formula (with =, +, - or @), written as they are: "
            "import its columns as text if you open it in a spreadsheet."
        )


def _numbers(box: str) -> tuple[int, int, int, int]:
    try:
        x, y, w, h = (round(float(part)) for part in box.split(","))
    except (ValueError, OverflowError):
        raise BadBox(f"{box!r} is not a box; write X,Y,W,H in pixels, as in 10,20,200,150.") from None
    return x, y, w, h
