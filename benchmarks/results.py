"""Write benchmark results to RESULTS.md: each benchmark replaces its own section and no other."""

import platform
import re
from datetime import date
from pathlib import Path

from retrieval.cpus import cpu_count

RESULTS = Path(__file__).parent / "RESULTS.md"
UNITS = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "VNNI", "avx512_bf16": "bfloat16", "amx_bf16": "AMX"}
"""Vector extensions that determine the speed of matrix products: Linux flag -> vendor name."""


def keep(section: str, body: str) -> None:
    """Print the body and replace the content of its section in RESULTS.md, or append the section."""
    print(body)
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Results\n"
    block = f"## {section}\n\n{body}\n\n*{machine()}, {date.today():%d %B %Y}*\n"
    pattern = rf"## {re.escape(section)}\n.*?(?=\n## |\Z)"
    if re.search(pattern, text, flags=re.DOTALL):
        text = re.sub(pattern, lambda _: block, text, flags=re.DOTALL)
    else:
        text = f"{text.rstrip()}\n\n{block}"
    RESULTS.write_text(text, encoding="utf-8")


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> str:
    """The processor as the system reports it, its vector extensions, the number of cores and the Python version."""
    path = Path("/proc/cpuinfo")
    facts = dict(re.findall(r"^(model name|flags)\s*: (.*)", path.read_text() if path.exists() else "", re.MULTILINE))
    flags = facts.get("flags", "").split()
    units = ", ".join(unit for flag, unit in UNITS.items() if flag in flags)
    name = facts.get("model name", platform.machine())
    return f"{name}{units and f' ({units})'}, {cpu_count()} cores, Python {platform.python_version()}"
