"""Export the catalogue as CSV: group, group name, picture and box of every member."""

from collections.abc import Sequence

from boxfind.export.table import csv_bytes
from index.groups.groups import Group
from index.storage.skipped_files import harmless

COLUMNS = ("group", "label", "image", "x", "y", "w", "h", "likeness", "odd")


def groups_csv(groups: Sequence[Group], names: Sequence[str]) -> bytes:
    """Write one row per member; formulas are neutralised. `names`: the name of each group, "" for an unnamed one."""
    rows = (
        (
            number,
            harmless(name),
            harmless(member.image),
            *member.region.box.xywh,
            f"{member.likeness:.3f}",
            "yes" if member.odd else "",
        )
        for number, (group, name) in enumerate(zip(groups, names, strict=True), start=1)
        for member in group.members
    )
    return csv_bytes(COLUMNS, rows)
