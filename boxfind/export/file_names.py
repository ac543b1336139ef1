"""Make file names that are valid on Windows, macOS and Linux."""

import re
import unicodedata
from collections.abc import Iterable
from itertools import count

LONGEST = 80
MOST_BYTES = 200
"""Maximum UTF-8 bytes without the suffix; most file systems allow 255 with it."""
UNNAMED = "search"
RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"} | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"
}
"""Names that Windows reserves for devices, with any extension."""
FORBIDDEN = re.compile(r'[<>:"/\\|?*]+')
EDGES = " .-"


def unique_names(names: Iterable[str]) -> list[str]:
    """Append -2, -3, … to names that are taken; the result is unique on case-insensitive file systems too."""
    taken: dict[str, str] = {}
    for name in names:
        candidates = (f"{name}-{number}" if number > 1 else name for number in count(1))
        free = next(candidate for candidate in candidates if candidate.casefold() not in taken)
        taken[free.casefold()] = free
    return list(taken.values())


def file_name(title: str, suffix: str) -> str:
    """Turn a title into a file name with a suffix such as ".csv": 1 to 80 characters, no path separators."""
    text = FORBIDDEN.sub("-", unicodedata.normalize("NFC", title[: 10 * LONGEST]))
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split()).strip(EDGES)
    room = LONGEST - len(suffix) - 1  # 1 for the underscore before a reserved name
    stem = text[:room].encode()[:MOST_BYTES].decode(errors="ignore").rstrip(EDGES) or UNNAMED
    is_device = stem.partition(".")[0].rstrip().upper() in RESERVED
    return f"_{stem}{suffix}" if is_device else stem + suffix
