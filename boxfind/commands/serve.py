"""The command `serve`: run the HTTP API."""

from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.options import given_settings, note
from retrieval.optional_packages import FASTAPI


def serve(
    gallery: Annotated[Path | None, typer.Option(parser=Path, help="Picture folder.")] = None,
    index: Annotated[Path | None, typer.Option(parser=Path, help="Index folder.")] = None,
) -> None:
    """Run the HTTP API (docs/api.md) until Ctrl+C."""
    FASTAPI.check("The API")
    from boxfind.api.server import serve as run

    settings = given_settings(gallery=gallery, index=index)
    note(f"The Boxfind API is running at http://{settings.api.host}:{settings.api.port}/v1 (press Ctrl+C to stop).")
    run(settings)
