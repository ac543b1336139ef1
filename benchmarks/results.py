"""Tables of results in RESULTS.md, or SHORT_RUN.md: each benchmark replaces its own tables and no others."""

import platform
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from retrieval.cpus import cpu_count

RESULTS, SHORT_RUN = (Path(__file__).parent / name for name in ("RESULTS.md", "SHORT_RUN.md"))
"""Tables of full runs, and of the last short run, which measures less."""
written_to = RESULTS
"""Where this process writes its tables."""
VECTOR_EXTENSIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx512_bf16": "bfloat16",
    "amx_bf16": "AMX",
}
"""Extensions that determine the speed of matrix products: Linux flag -> vendor name."""


def write_short_run() -> None:
    """From now on, this process writes its tables to SHORT_RUN.md."""
    global written_to
    written_to = SHORT_RUN


def record(section: str, *tables: str) -> None:
    """Print the tables, and write them to their section of the file, below its text, with machine and date.

    Creates the section if it does not exist.
    """
    print(section, *tables, sep="\n\n", flush=True)
    before, _, after = written_to.read_text(encoding="utf-8").partition(f"\n## {section}\n")
    old, following, rest = after.partition("\n## ")
    text = [part for part in old.strip().split("\n\n") if part and part[0] not in "|*"]
    parts = [before.rstrip(), f"## {section}", *text, *tables, f"*{machine()}, {date.today():%d %B %Y}*"]
    written_to.write_text("\n\n".join(parts) + "\n" + following + rest, encoding="utf-8")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def milliseconds(seconds: Sequence[float], digits: int = 0, shares: Sequence[float] = (0.5, 0.95)) -> list[str]:
    """Quantiles of durations in milliseconds, by default the median and the 95th percentile."""
    return [f"{1000 * value:.{digits}f}" for value in np.quantile(seconds, shares)]


def machine() -> str:
    """The processor as the system reports it, its vector extensions, the number of cores and the Python version."""
    path = Path("/proc/cpuinfo")
    facts = dict(re.findall(r"^(model name|flags)\s*: (.*)", path.read_text() if path.exists() else "", re.MULTILINE))
    flags = facts.get("flags", "").split()
    extensions = ", ".join(name for flag, name in VECTOR_EXTENSIONS.items() if flag in flags)
    processor = facts.get("model name", platform.machine())
    return f"{processor}{extensions and f' ({extensions})'}, {cpu_count()} cores, Python {platform.python_version()}"
