"""The groups of the catalogue as a table: which picture is in which group, where, and what people call it."""

import csv
import io
from collections.abc import Sequence

from index.groups.groups import Group
from index.storage.skipped_files import harmless

COLUMNS = ("group", "label", "image", "x", "y", "w", "h", "likeness", "odd")


def groups_csv(groups: Sequence[Group], names: Sequence[str]) -> bytes:
    """A row for each picture of each group, and the name of each group, "" where it has none.

    UTF-8 with the mark that spreadsheets look for, and no cell of it is a formula.
    """
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(COLUMNS)
    for number, (group, name) in enumerate(zip(groups, names, strict=True), start=1):
        for member in group.members:
            place = (harmless(name), harmless(member.image), *member.region.box.xywh)
            table.writerow([number, *place, f"{member.likeness:.3f}", "yes" if member.odd else ""])
    return out.getvalue().encode("utf-8-sig", "replace")
