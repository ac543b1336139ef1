"""Options shared by commands, settings with overrides, and notes on standard error."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from boxfind.settings import BadSetting, Settings
from boxfind.settings_schema import utf8_path

# Without a parser, typer would ask the drive about each path, and a drive that does not answer stops the program.
GalleryOption = Annotated[
    Path | None, typer.Option(parser=Path, help="Picture folder. Default: that of the first collection, or a sample.")
]
IndexOption = Annotated[
    Path | None, typer.Option(parser=Path, help="Index folder. Default: a folder in the data folder.")
]


def utf8_option(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """Refuse a path that libraries cannot open because it is not valid UTF-8. Raises BadSetting."""
    try:
        return utf8_path(path) if path else path
    except ValueError as error:
        raise BadSetting(f"{option.opts[0]} cannot be {str(path)!r}: {error}.") from None


IndexDir = Annotated[
    Path | None,
    typer.Option(
        "--index", parser=Path, help="Index folder. Default: that of the first collection.", callback=utf8_option
    ),
]
CollectionName = Annotated[
    str | None,
    typer.Option("--collection", help="A collection, instead of a folder; `boxfind collections` lists them."),
]
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


def settings_with(collection: str | None = None, **given: object) -> Settings:
    """Return the settings of a collection, or of the gallery or index that is given, or else of the first collection.

    Options that are None do not override the environment. Raises BadSetting, which names the option if the value came
    from one, and CollectionsProblem.
    """
    from boxfind.collections_served import ServedCollections

    settings = given_settings(**given)
    if collection is None and (settings.gallery or settings.index):
        return settings
    if given.get("gallery") or given.get("index"):
        raise BadSetting("--collection names a gallery and its index; leave --gallery and --index out.")
    served = ServedCollections(settings)
    return served.settings_of(served.find(collection or ""))


def given_settings(**given: object) -> Settings:
    """Return the settings of the environment, overridden by the options that are not None. Raises BadSetting."""
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
