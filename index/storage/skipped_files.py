"""The list of files that could not be used, as a table that a spreadsheet may open."""

import csv
import io
from collections.abc import Iterable

from index.storage.folder_scan import Skipped

COLUMNS = ("file", "reason", "sentence", "bytes")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of something to compute."""


def skipped_csv(skipped: Iterable[Skipped]) -> str:
    """A CSV table with a row for each file; no cell of it is a formula."""
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(COLUMNS)
    table.writerows([*map(harmless, (s.file, s.reason, s.sentence)), s.bytes] for s in skipped)
    return out.getvalue()


def harmless(cell: str) -> str:
    """The text as a spreadsheet shows it: an apostrophe before what it would compute."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
