"""Make file names safe to print in messages."""

import os


def shown(name: str) -> str:
    """A file name for use in a message: printable, shortened in the middle if it has more than 80 characters."""
    safe = printable(name)
    return safe if len(safe) <= 80 else f"{safe[:50]}…{safe[-25:]}"


def printable(name: str) -> str:
    """The full file name on one line. Unprintable characters, such as line breaks, are replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in os.fspath(name))
