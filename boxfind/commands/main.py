"""Search your pictures by example: build an index, search it, serve it, evaluate it and back it up."""

import io
import sys

import typer

from boxfind.commands.app import start_page
from boxfind.commands.batch import batch
from boxfind.commands.build import build, cancel
from boxfind.commands.check import doctor, skipped, verify, why
from boxfind.commands.collections import collections
from boxfind.commands.compare_networks import compare_networks
from boxfind.commands.evaluate import evaluate
from boxfind.commands.finetune import finetune
from boxfind.commands.generations import backup, generations, restore, rollback
from boxfind.commands.search import search
from boxfind.commands.serve import serve
from retrieval.errors import BoxfindError

command_line = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
command_line.command("app")(start_page)
for command in (
    *(build, cancel, search, batch, serve, evaluate, compare_networks, finetune),
    *(verify, why, skipped, doctor, generations, rollback, backup, restore),
):
    command_line.command()(command)
command_line.add_typer(collections, name="collections")


def main() -> None:
    """Run a command. Errors are printed as one message on standard error, with exit code 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name may hold what the terminal's encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        command_line()
    except BoxfindError as error:
        sentence = str(error)
    except OSError as error:  # such as a full disk, a read-only folder or a network error
        problem = error.strerror or str(error) or type(error).__name__
        sentence = f"{error.filename} cannot be read or written: {problem}." if error.filename else f"{problem}."
    else:
        return
    print(sentence, file=sys.stderr)
    sys.exit(1)
