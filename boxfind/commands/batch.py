"""The command `batch`: answer all queries of a CSV table or of a folder of pictures with box files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from boxfind.commands.filter_options import Album, Folder, Name, Pixels, Shape, Since, Until, picture_filter
from boxfind.commands.options import IndexDir, QueryMode, Rank, note, notes, settings_with
from boxfind.progress_bar import TerminalProgress
from retrieval.errors import BoxfindError

if TYPE_CHECKING:
    from boxfind.evaluation.batch import BatchResult


def batch(
    index: IndexDir,
    queries: Annotated[
        Path,
        typer.Option(
            help="CSV with the columns query,image,x,y,w,h, or a folder of pictures. In a folder, a text file with the "
            "name of a picture holds its boxes, one `x y w h` in pixels per line; a picture without one is searched "
            "for as a whole."
        ),
    ],
    out: Annotated[Path, typer.Option(help="CSV file to write: query,rank,image,score,x,y,w,h,match.")],
    images: Annotated[
        Path | None,
        typer.Option(help="Folder that image paths in the CSV are relative to; required with a CSV."),
    ] = None,
    ranks: Annotated[
        Path | None, typer.Option(help="Text file to also write: `query NAME: matches a.jpg b.jpg …`, best first.")
    ] = None,
    sheets: Annotated[
        Path | None, typer.Option(help="Folder for one JPEG per query, with the boxed query and its ten best matches.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="Maximum number of pictures per query; 0 lists all.")] = 100,
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
    from boxfind.evaluation.dataset import read_queries, write_hits
    from boxfind.evaluation.query_folder import read_query_folder
    from boxfind.export.rank_list import rank_list

    if queries.is_dir():
        asked, problems = read_query_folder(queries)
    elif images is not None:
        asked, problems = read_queries(queries, images), []
    else:
        raise typer.BadParameter("a CSV of queries needs --images, the folder that its image paths are relative to.")
    settings = settings_with(index=index, query_mode=query_mode)
    engine = Engine(settings)
    only = picture_filter(engine, name, since, until, shape, pixels, album)
    gallery = engine.filtered(engine.gallery(), only)
    with TerminalProgress(notes) as report:
        answers = answer_all(engine, gallery, asked, top, rank, report, settings.build.workers, folder)
        write_hits(out, [(answer.query, answer.hits) for answer in answers])
        if ranks:
            answered = [(answer.query, answer.hits) for answer in answers if not answer.problem]
            ranks.write_text(rank_list(answered), encoding="utf-8")
        if sheets:
            draw_sheets(sheets, gallery, asked, answers, report)
    _warn_of_formulas(out, answers)
    total = len(asked) + len(problems)
    problems += [answer.problem for answer in answers if answer.problem]
    for problem in problems:
        note(problem)
    if problems:
        raise BoxfindError(f"{len(problems)} of {total} queries failed; the results of the others are in {out}.")


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
