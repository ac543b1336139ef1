"""Export the catalogue as CSV: group, group name, picture and box of every member."""

import csv
import io
from collections.abc import Sequence

from index.groups.groups import Group
from index.storage.skipped_files import harmless

COLUMNS = ("group", "label", "image", "x", "y", "w", "h", "likeness", "odd")


def groups_csv(groups: Sequence[Group], names: Sequence[str]) -> bytes:
    """Write one row per member. `names`: the name of each group, "" for an unnamed one.

    UTF-8 with a byte order mark for spreadsheets; formulas are neutralised.
    """
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(COLUMNS)
    for number, (group, name) in enumerate(zip(groups, names, strict=True), start=1):
        for member in group.members:
            place = (harmless(name), harmless(member.image), *member.region.box.xywh)
            table.writerow([number, *place, f"{member.likeness:.3f}", "yes" if member.odd else ""])
    return out.getvalue().encode("utf-8-sig", "replace")
