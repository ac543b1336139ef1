"""The skipped files of a generation: skipped.parquet, and a CSV export safe from spreadsheet formula injection."""

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from index.storage.folder_scan import Skipped
from retrieval.images.file_kinds import FORMAT_OF_SUFFIX, UNREAD, suffix_of

COLUMNS = pa.schema(
    [
        ("file", pa.string()),
        ("reason", pa.string()),
        ("sentence", pa.string()),
        ("bytes", pa.int64()),
        ("mtime", pa.float64()),
        ("place", pa.string()),  # null in the files of earlier versions
    ]
)
EXPORTED = ("file", "reason", "sentence", "bytes")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters that make a spreadsheet treat a cell as a formula."""


def read_skipped(folder: Path) -> list[Skipped]:
    """The files that were not indexed, and why."""
    return [
        Skipped(**{**row, "place": row["place"] or ""})
        for row in pq.read_table(folder / "skipped.parquet", schema=COLUMNS).to_pylist()
    ]


def write_skipped(folder: Path, skipped: Iterable[Skipped]) -> None:
    rows = [asdict(file) for file in skipped]
    pq.write_table(pa.Table.from_pylist(rows, schema=COLUMNS), folder / "skipped.parquet")


def skipped_csv(skipped: Iterable[Skipped]) -> str:
    """A CSV table with one row per file."""
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(EXPORTED)
    table.writerows([*map(harmless, (s.file, s.reason, s.sentence)), s.bytes] for s in skipped)
    return out.getvalue()


def unread_formats(skipped: Iterable[Skipped]) -> str:
    """Count the pictures in formats that cannot be read: "8 HEIC, 2 RAW"; "" if there are none."""
    formats = Counter(FORMAT_OF_SUFFIX.get(suffix_of(file.file), "other") for file in skipped if file.reason == UNREAD)
    return ", ".join(f"{count:,} {name}" for name, count in formats.most_common())


def harmless(cell: str) -> str:
    """Prefix a cell with an apostrophe if a spreadsheet would treat it as a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
