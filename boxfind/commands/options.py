"""What commands share: options, settings, and the stream for what is said beside the answer."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from boxfind.settings import Settings

IndexDir = Annotated[Path, typer.Option("--index", help="Folder of the index.")]
Rank = Annotated[
    str,
    typer.Option("--rank", help="fast (one vector search) or best; to compare: sift (keypoints alone), euclidean."),
]
QueryMode = Annotated[
    str | None,
    typer.Option("--query-mode", help="crop (the box cut out) or slice (pooled from one pass of its whole picture)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

notes = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def settings_with(**given: object) -> Settings:
    """The settings of the environment, with what was given on the command line on top."""
    return Settings.load(**{name: value for name, value in given.items() if value is not None})


def note(sentence: str) -> None:
    """Says it on the other stream, as it stands."""
    notes.print(sentence, markup=False)
