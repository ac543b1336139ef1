"""The command `batch`: answer all queries of a CSV table or of a folder of pictures with box files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from boxfind.commands.filter_options import Album, Folder, Name, Pixels, Shape, Since, Until, picture_filter
from boxfind.commands.options import CollectionName, IndexDir, QueryMode, Rank, note, notes, settings_with
from boxfind.progress_bar import TerminalProgress
from retrieval.errors import BoxfindError

if TYPE_CHECKING:
    from boxfind.evaluation.batch import BatchResult
    from boxfind.evaluation.dataset import BoxedQuery


Queries = Annotated[
    Path,
    typer.Option(
        help="CSV with the columns query,image,x,y,w,h, or a folder of pictures. In a folder, a text file with the "
        "name of a picture holds its boxes, one `x y w h` in pixels per line; a picture without one is searched "
        "for as a whole."
    ),
]
Out = Annotated[Path, typer.Option(help="CSV file to write: query,rank,image,score,x,y,w,h,match.")]
Images = Annotated[
    Path | None, typer.Option(help="Folder that image paths in the CSV are relative to; required with a CSV.")
]
Ranks = Annotated[
    Path | None, typer.Option(help="Text file to also write: `query NAME: matches a.jpg b.jpg …`, best first.")
]
Sheets = Annotated[
    Path | None, typer.Option(help="Folder for one JPEG per query, with the boxed query and its ten best matches.")
]
Top = Annotated[int, typer.Option(min=0, help="Maximum number of pictures per query; 0 lists all.")]


def batch(
    queries: Queries,
    out: Out,
    index: IndexDir = None,
    collection: CollectionName = None,
    images: Images = None,
    ranks: Ranks = None,
    sheets: Sheets = None,
    top: Top = 100,
    rank: Rank = "fast",
    query_mode: QueryMode = None,
    folder: Folder = "",
    name: Name = "",
    since: Since = None,
    until: Until = None,
    shape: Shape = None,
    pixels: Pixels = 0,
    album: Album = "",
) -> None:
    """Answer all queries of a table or a folder."""
    from boxfind.engine import Engine
    from boxfind.evaluation.batch import answer_all, draw_sheets

    asked, unread = _read_queries(queries, images)
    settings = settings_with(collection, index=index, query_mode=query_mode)
    engine = Engine(settings)
    only = picture_filter(engine, name, since, until, shape, pixels, album)
    gallery = engine.filtered(engine.gallery(), only)
    with TerminalProgress(notes) as report:
        answers = answer_all(engine, gallery, asked, top, rank, report, settings.build.workers, folder)
        _write(answers, out, ranks)
        if sheets:
            draw_sheets(sheets, gallery, asked, answers, report)
    _warn_of_formulas(out, answers)
    problems = [*unread, *(answer.problem for answer in answers if answer.problem)]
    for problem in problems:
        note(problem)
    if problems:
        total = len(asked) + len(unread)
        raise BoxfindError(f"{len(problems)} of {total} queries failed; the results of the others are in {out}.")


def _read_queries(queries: Path, images: Path | None) -> "tuple[list[BoxedQuery], list[str]]":
    """The queries of a CSV or a folder, and why others of the folder cannot be read. Raises BadParameter."""
    from boxfind.evaluation.dataset import read_queries
    from boxfind.evaluation.query_folder import read_query_folder

    if queries.is_dir():
        return read_query_folder(queries)
    if images is None:
        raise typer.BadParameter("a CSV of queries needs --images, the folder that its image paths are relative to.")
    return read_queries(queries, images), []


def _write(answers: "Sequence[BatchResult]", out: Path, ranks: Path | None) -> None:
    from boxfind.evaluation.dataset import write_hits
    from boxfind.export.rank_list import rank_list

    write_hits(out, [(answer.query, answer.hits) for answer in answers])
    if ranks:
        answered = [(answer.query, answer.hits) for answer in answers if not answer.problem]
        ranks.write_text(rank_list(answered), encoding="utf-8")


def _warn_of_formulas(out: Path, answers: "Sequence[BatchResult]") -> None:
    """Warn if the CSV holds names that look like formulas. Programs need exact ids, so names are not escaped."""
    from index.storage.skipped_files import harmless

    names = {name for answer in answers for name in (answer.query, *(hit.image for hit in answer.hits))}
    formulas = sum(harmless(name) != name for name in names)
    if formulas:
        note(
            f"{out} contains {formulas} {'name' if formulas == 1 else 'names'} starting with =, +, - or @, which "
            "spreadsheets take for formulas; import its columns as text."
        )
