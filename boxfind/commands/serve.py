"""Answering searches of other programs over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.options import note, settings_with
from retrieval.optional_packages import FASTAPI

app = typer.Typer()


@app.command()
def serve(
    gallery: Annotated[Path | None, typer.Option(help="Folder of pictures.")] = None,
    index: Annotated[Path | None, typer.Option(help="Folder of the index.")] = None,
) -> None:
    """Run the API for other programs (docs/api.md) until Ctrl+C."""
    FASTAPI.check("The API")
    from boxfind.api.server import serve as run

    settings = settings_with(gallery=gallery, index=index)
    note(f"Boxfind's API is at http://{settings.api.host}:{settings.api.port}/v1 (stop it with Ctrl+C)")
    run(settings)
