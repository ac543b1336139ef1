"""Asking the index many things at once: a table of boxed queries, or a folder of pictures and their boxes."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from boxfind.commands.options import IndexDir, QueryMode, Rank, note, notes, settings_with
from boxfind.progress_bar import TerminalProgress
from retrieval.errors import BoxfindError

if TYPE_CHECKING:
    from boxfind.evaluation.batch import BatchResult
    from boxfind.evaluation.dataset import BoxedQuery
    from index.gallery import Gallery
    from retrieval.types import Progress

app = typer.Typer()


@app.command()
def batch(
    index: IndexDir,
    queries: Annotated[
        Path,
        typer.Option(
            help="CSV with the columns query,image,x,y,w,h; or a folder of pictures, each with a text file of the same "
            "name beside it that holds x y w h in pixels, a line for each box. Without one all of the picture counts."
        ),
    ],
    out: Annotated[Path, typer.Option(help="CSV to write: query,rank,image,score,x,y,w,h.")],
    images: Annotated[
        Path | None,
        typer.Option(help="Folder that the images of the CSV are relative to; a folder of queries has its own."),
    ] = None,
    ranks: Annotated[
        Path | None, typer.Option(help="Text file to write beside it: `query NAME: matches a.jpg b.jpg …`, best first.")
    ] = None,
    sheets: Annotated[
        Path | None, typer.Option(help="Folder for a JPEG a query: its picture with the box, and the ten best matches.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="How many pictures a query; 0 lists all.")] = 100,
    rank: Rank = "fast",
    query_mode: QueryMode = None,
) -> None:
    """Answer a whole table or folder of queries."""
    from boxfind.engine import Engine
    from boxfind.evaluation.batch import answer_all
    from boxfind.evaluation.dataset import write_hits

    asked, problems = _read(queries, images)
    settings = settings_with(index=index, query_mode=query_mode)
    engine = Engine(settings)
    gallery = engine.gallery()
    with TerminalProgress(notes) as report:
        answers = answer_all(engine, gallery, asked, top, rank, report, settings.build.workers)
        write_hits(out, [(answer.query, answer.hits) for answer in answers])
        if ranks:
            _write_ranks(ranks, answers)
        if sheets:
            _draw_sheets(sheets, gallery, asked, answers, report)
    _warn_of_formulas(out, answers)
    total = len(asked) + len(problems)
    problems += [answer.problem for answer in answers if answer.problem]
    for problem in problems:
        note(problem)
    if problems:
        raise BoxfindError(f"{len(problems)} of {total} queries could not be answered; the others are in {out}.")


def _read(queries: Path, images: Path | None) -> "tuple[list[BoxedQuery], list[str]]":
    """The queries, and a sentence for each that cannot be asked."""
    from boxfind.evaluation.dataset import read_queries
    from boxfind.evaluation.query_folder import read_query_folder

    if queries.is_dir():
        return read_query_folder(queries)
    if images is None:
        raise typer.BadParameter("a CSV of queries needs --images, the folder its images are relative to.")
    return read_queries(queries, images), []


def _write_ranks(file: Path, answers: "Sequence[BatchResult]") -> None:
    from boxfind.export.rank_list import rank_list

    answered = [(answer.query, answer.hits) for answer in answers if not answer.problem]
    file.write_text(rank_list(answered), encoding="utf-8")


def _draw_sheets(
    folder: Path,
    gallery: "Gallery",
    asked: "Sequence[BoxedQuery]",
    answers: "Sequence[BatchResult]",
    report: "Progress",
) -> None:
    from boxfind.export.result_sheet import result_sheet
    from boxfind.export.search_result import SearchResult
    from retrieval.images.decode import load_image

    folder.mkdir(parents=True, exist_ok=True)
    files = _file_names([query.name for query in asked])
    for done, (query, answer, file) in enumerate(zip(asked, answers, files, strict=True), start=1):
        if not answer.problem:
            found = SearchResult(query.name, tuple(answer.hits), gallery, load_image(query.image), query.box)
            (folder / file).write_bytes(result_sheet(found))
        report("Drawing sheets", done, len(asked))


def _file_names(queries: Sequence[str]) -> list[str]:
    """A name for the JPEG of each query, no two of them alike on any disk."""
    from boxfind.export.file_names import file_name

    taken: set[str] = set()
    names = []
    for query in queries:
        stem = file_name(query, ".jpg").removesuffix(".jpg")
        ways = (f"{stem}-{number}.jpg" if number > 1 else f"{stem}.jpg" for number in count(1))
        names.append(next(way for way in ways if way.casefold() not in taken))
        taken.add(names[-1].casefold())
    return names


def _warn_of_formulas(out: Path, answers: "Sequence[BatchResult]") -> None:
    """hits.csv is for programs, which find pictures by their ids: those are written as they are."""
    from index.storage.skipped_files import harmless

    names = {name for answer in answers for name in (answer.query, *(hit.image for hit in answer.hits))}
    formulas = sum(harmless(name) != name for name in names)
    if formulas:
        note(
            f"{out} holds {formulas} names that begin like a formula (with =, +, - or @), written as they are: "
            "import its columns as text if you open it in a spreadsheet."
        )
