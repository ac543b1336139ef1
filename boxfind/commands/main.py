"""Build an index, search it, serve it, measure it, check it, keep it safe."""

import sys

import typer

from boxfind.commands import app as page
from boxfind.commands import batch, build, check, evaluate, finetune, generations, search, serve
from retrieval.errors import BoxfindError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
for family in (page, build, search, batch, serve, evaluate, finetune, check, generations):
    app.add_typer(family.app)


def main() -> None:
    """Runs a command; an error becomes one sentence on standard error and exit code 1."""
    try:
        app()
    except BoxfindError as error:
        sentence = str(error)
    except OSError as error:  # a full disk, a folder that may not be written
        sentence = f"{error.filename or 'The operating system refused'}: {error.strerror}."
    else:
        return
    print(sentence, file=sys.stderr)
    sys.exit(1)
