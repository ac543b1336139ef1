"""The operator's door: build an index, search it, measure it, check it."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from retrieval.errors import BadBox, BoxfindError
from settings import Settings
from terminal import TerminalProgress

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
notes = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

IndexDir = Annotated[Path, typer.Option("--index", help="Folder of the index.")]
Rank = Annotated[str, typer.Option("--rank", help="How results are ranked: fast (one vector search) or best.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def build(
    gallery: Annotated[Path | None, typer.Option(help="Folder of pictures; without one a sample is drawn.")] = None,
    index: Annotated[Path | None, typer.Option(help="Folder of the index; without one, in the data folder.")] = None,
    backbone: Annotated[str | None, typer.Option(help="auto, resnet50 or efficientnet-lite0.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Learn everything anew (as every build does so far).")] = False,
) -> None:
    """Index every picture in a folder; what is served changes only when all is done."""
    from engine import Engine
    from index.generation import read_manifest, read_skipped, read_whitening
    from retrieval.images import printable

    engine = Engine(_settings(gallery=gallery, index=index, backbone=backbone))
    began = time.perf_counter()
    with TerminalProgress(notes) as report:
        folder = engine.build(report)
    manifest = read_manifest(folder)
    for skipped in read_skipped(folder):
        notes.print(f"Skipped {printable(skipped.file)}: {skipped.sentence}", markup=False)
    if manifest.note:
        notes.print(manifest.note, markup=False)
    print(
        f"Indexed {manifest.counts.images} pictures ({manifest.counts.regions} regions) with "
        f"{manifest.recipe.backbone}, {read_whitening(folder).kind} whitening, in {time.perf_counter() - began:.0f} s; "
        f"skipped {manifest.counts.skipped}."
    )


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

    engine = Engine(_settings(index=index))
    picture = load_image(image)
    area = Box.from_xywh(*_numbers(box)) if box else Box.whole(picture)
    hits = engine.search(engine.gallery(), picture, area, top, rank)
    if as_json:
        rows = [
            {
                "rank": n,
                "image": h.image,
                "score": round(h.score, 4),
                "similarity": round(h.similarity, 4),
                "confidence": h.confidence,
                "parts": {name: round(part, 4) for name, part in h.parts.items()},
                "box": h.region.box.xywh,
                "kind": h.region.kind,
            }
            for n, h in enumerate(hits, start=1)
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return
    for n, hit in enumerate(hits, start=1):
        box_text = ",".join(map(str, hit.region.box.xywh))
        print(f"{n:3d}  {hit.score:.4f}  {hit.confidence:8s}  {printable(hit.image)}  {box_text}")
    if no_match(hits):
        notes.print(NO_MATCH, markup=False)


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

    settings = _settings(index=index)
    engine = Engine(settings)
    with TerminalProgress(notes) as report:
        asked = read_queries(queries, images)
        answers = answer_all(engine, engine.gallery(), asked, top, rank, report, settings.workers)
    write_hits(out, [(answer.query, answer.hits) for answer in answers])
    problems = [answer.problem for answer in answers if answer.problem]
    for problem in problems:
        notes.print(problem, markup=False)
    if problems:
        raise BoxfindError(f"{len(problems)} of {len(answers)} queries could not be answered; the others are in {out}.")


@app.command()
def evaluate(
    index: IndexDir,
    dataset: Annotated[
        Path, typer.Option(help="Folder of a labelled data set; docs/evaluation.md says of what kinds.")
    ],
    rank: Rank = "fast",
    layout: Annotated[
        str | None, typer.Option("--format", help="csv, revisited or folders; found out if left out.")
    ] = None,
    as_json: AsJson = False,
    table: Annotated[Path | None, typer.Option("--csv", help="CSV to write: a row for each query.")] = None,
) -> None:
    """Measure how well an index finds what a labelled data set says is there."""
    from engine import Engine
    from evaluation import report
    from evaluation.evaluate import evaluate as measure
    from evaluation.readers import read_dataset

    engine = Engine(_settings(index=index))
    with TerminalProgress(notes) as progress:
        found = measure(engine, engine.gallery(), read_dataset(dataset, layout), rank, progress)
    for remark in report.remarks(found):
        notes.print(remark, markup=False)
    print(json.dumps(report.as_dict(found), ensure_ascii=False) if as_json else report.as_text(found))
    if table:
        report.write_csv(found, table)


@app.command()
def verify(index: IndexDir) -> None:
    """Check an index from end to end and say in sentences what is wrong with it."""
    from index.verify import verify as find_faults

    faults = find_faults(index)
    if faults:
        raise BoxfindError("\n".join(faults))
    print("Nothing is wrong with this index.")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Print versions, device, weights and the state of the index."""
    from doctor import examine

    findings = asdict(examine(_settings()))
    if as_json:
        print(json.dumps(findings, indent=1))
        return
    for name, value in findings.items():
        for part, text in value.items() if isinstance(value, dict) else [("", value)]:
            print(f"{name:12s} {part:26s} {text}" if part else f"{name:12s} {text}")


def _settings(**given: object) -> Settings:
    """The settings of the environment, with what was given on the command line on top."""
    return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def _numbers(box: str) -> tuple[int, int, int, int]:
    try:
        x, y, w, h = (round(float(part)) for part in box.split(","))
    except (ValueError, OverflowError):
        raise BadBox(f"{box!r} is not a box; write X,Y,W,H in pixels, as in 10,20,200,150.") from None
    return x, y, w, h


def main() -> None:
    try:
        app()
    except BoxfindError as error:
        sentence = str(error)
    except ValidationError as error:
        wrong = error.errors()[0]
        sentence = f"BOXFIND_{wrong['loc'][0]}".upper() + f" has a value that cannot be used: {wrong['msg']}."
    except OSError as error:  # a full disk, a folder that may not be written
        sentence = f"{error.filename or 'The operating system refused'}: {error.strerror}."
    else:
        return
    print(sentence, file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
