"""File names made safe to print in messages."""

import os


def shown(name: str) -> str:
    """A file name as it may stand in a sentence: printable, and not longer than a line."""
    safe = printable(name)
    return safe if len(safe) <= 80 else f"{safe[:50]}…{safe[-25:]}"


def printable(name: str) -> str:
    """All of a file name on one line; what cannot be shown, a line break for one, is replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in os.fspath(name))
