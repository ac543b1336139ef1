"""Names for files that every system takes."""

import re
import unicodedata

LONGEST = 80
MOST_BYTES = 200
"""Of UTF-8, without the suffix; most disks take 255 with it."""
UNNAMED = "search"
RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"} | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"
}
"""What Windows takes for a device, whatever stands after the first dot."""
FORBIDDEN = re.compile(r'[<>:"/\\|?*]+')
EDGES = " .-"


def file_name(title: str, suffix: str) -> str:
    """The title as a file name, with a suffix such as ".csv"; at most 80 characters, never empty, and no path."""
    text = FORBIDDEN.sub("-", unicodedata.normalize("NFC", title[: 10 * LONGEST]))
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split()).strip(EDGES)
    room = LONGEST - len(suffix) - 1  # for what keeps a device's name apart
    stem = text[:room].encode()[:MOST_BYTES].decode(errors="ignore").rstrip(EDGES) or UNNAMED
    is_device = stem.partition(".")[0].rstrip().upper() in RESERVED
    return f"_{stem}{suffix}" if is_device else stem + suffix
