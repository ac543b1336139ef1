"""Read the HTML, styles and scripts of the components. Several components share some of them."""

from pathlib import Path

HERE = Path(__file__).parent


def joined_files(*names: str) -> str:
    """The texts of files in this folder, one after the other."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)
