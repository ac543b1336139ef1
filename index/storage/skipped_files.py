"""Export skipped files as CSV, safe from spreadsheet formula injection."""

import csv
import io
from collections.abc import Iterable

from index.storage.folder_scan import Skipped

COLUMNS = ("file", "reason", "sentence", "bytes")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters that make a spreadsheet treat a cell as a formula."""


def skipped_csv(skipped: Iterable[Skipped]) -> str:
    """A CSV table with one row per file."""
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(COLUMNS)
    table.writerows([*map(harmless, (s.file, s.reason, s.sentence)), s.bytes] for s in skipped)
    return out.getvalue()


def harmless(cell: str) -> str:
    """Prefix a cell with an apostrophe if a spreadsheet would treat it as a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
