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
from retrieval.images.file_kinds import FORMAT_OF_SUFFIX, PACKAGES, UNREAD, suffix_of
from retrieval.optional_packages import install

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
    """Count the pictures in formats that no package reads: "8 Photoshop, 2 SVG"; "" if there are none."""
    unread = (file for file in skipped if file.reason == UNREAD and not needs_package(file))
    formats = Counter(FORMAT_OF_SUFFIX.get(suffix_of(file.file), "other") for file in unread)
    return ", ".join(f"{count:,} {name}" for name, count in formats.most_common())


def needs_package(file: Skipped) -> bool:
    """Whether a file is skipped because the package that reads it is missing, by its suffix."""
    package = PACKAGES.get(FORMAT_OF_SUFFIX.get(suffix_of(file.file), ""))
    return file.reason == UNREAD and package is not None and not package.installed


def missing_packages(skipped: Iterable[Skipped]) -> list[str]:
    """A sentence for each package that would read skipped files: "3 files need the package av; run `pip …`."."""
    counts = Counter(PACKAGES[FORMAT_OF_SUFFIX[suffix_of(file.file)]] for file in skipped if needs_package(file))
    return [
        f"{count:,} {'file needs' if count == 1 else 'files need'} the package {package.package}; "
        f"{install(package.extra)}."
        for package, count in counts.most_common()
    ]


def harmless(cell: str) -> str:
    """Prefix a cell with an apostrophe if a spreadsheet would treat it as a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
