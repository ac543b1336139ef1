"""The command `evaluate`: measure retrieval quality and speed on a labelled data set."""

import json
from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.options import AsJson, CollectionName, IndexDir, QueryMode, Rank, note, notes, settings_with
from boxfind.progress_bar import TerminalProgress


def evaluate(
    dataset: Annotated[
        Path, typer.Option(help="Folder of a labelled data set; docs/evaluation.md describes the formats.")
    ],
    index: IndexDir = None,
    collection: CollectionName = None,
    rank: Rank = "fast",
    format_name: Annotated[
        str | None, typer.Option("--format", help="csv, revisited or folders; detected by default.")
    ] = None,
    query_mode: QueryMode = None,
    as_json: AsJson = False,
    table: Annotated[Path | None, typer.Option("--csv", help="CSV file to write, one row per query.")] = None,
) -> None:
    """Measure mAP, precision, recall and query time on a labelled data set."""
    from boxfind.engine import Engine
    from boxfind.evaluation import report
    from boxfind.evaluation.dataset_formats import read_dataset
    from boxfind.evaluation.evaluate import evaluate as measure

    engine = Engine(settings_with(collection, index=index, query_mode=query_mode))
    with TerminalProgress(notes) as progress:
        found = measure(engine, engine.gallery(), read_dataset(dataset, format_name), rank, progress)
    for remark in report.remarks(found):
        note(remark)
    print(json.dumps(report.as_dict(found), ensure_ascii=False) if as_json else report.as_text(found))
    if table:
        report.write_csv(found, table)
