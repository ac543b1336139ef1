"""Options shared by commands, settings with overrides, and notes on standard error."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from boxfind.settings import BadSetting, Settings
from boxfind.settings_schema import utf8_path

GalleryOption = Annotated[
    Path | None, typer.Option(help="Picture folder. Default: the one chosen on the page, or a sample.")
]
IndexOption = Annotated[Path | None, typer.Option(help="Index folder. Default: a folder in the data folder.")]


def utf8_option(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """Refuse a path that libraries cannot open because it is not valid UTF-8. Raises BadSetting."""
    try:
        return utf8_path(path) if path else path
    except ValueError as error:
        raise BadSetting(f"{option.opts[0]} cannot be {str(path)!r}: {error}.") from None


IndexDir = Annotated[Path, typer.Option("--index", help="Index folder.", callback=utf8_option)]
Rank = Annotated[
    str,
    typer.Option(
        "--rank",
        help="fast (one vector search) or best (slower; adds geometric verification). "
        "For comparison: sift (keypoints only), euclidean.",
    ),
]
QueryMode = Annotated[
    str | None,
    typer.Option(
        "--query-mode",
        help="crop (cut the box out, then run the network) or slice (pool it from the whole picture's features).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

notes = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def settings_with(**given: object) -> Settings:
    """Return the settings of the environment, overridden by the options that are not None.

    Raises BadSetting, which names the option if the value came from one.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings.load(**chosen)
    except BadSetting as problem:
        sentence = str(problem)
        for name in chosen:
            option = "--address" if name == "ray_address" else f"--{name.replace('_', '-')}"
            sentence = sentence.replace(f"BOXFIND_{name.upper()} ", f"{option} ")
        raise BadSetting(sentence) from None


def note(sentence: str) -> None:
    """Print a message to standard error, without interpreting markup."""
    notes.print(sentence, markup=False)
