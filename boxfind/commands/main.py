"""Search your pictures by example: build an index, search it, serve it, evaluate it and back it up."""

import sys

import typer

from boxfind.commands import app as page
from boxfind.commands import batch, build, check, evaluate, finetune, generations, search, serve
from retrieval.errors import BoxfindError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
for family in (page, build, search, batch, serve, evaluate, finetune, check, generations):
    app.add_typer(family.app)


def main() -> None:
    """Run a command. Errors are printed as one message on standard error, with exit code 1."""
    try:
        app()
    except BoxfindError as error:
        sentence = str(error)
    except OSError as error:  # such as a full disk or a read-only folder
        sentence = f"{error.filename or 'Operating system error'}: {error.strerror}."
    else:
        return
    print(sentence, file=sys.stderr)
    sys.exit(1)
