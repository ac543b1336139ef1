"""The gallery folder that was chosen on the page, kept in the data folder for the next start."""

import os
import secrets
from pathlib import Path

from pydantic import BaseModel, ValidationError

from index.storage.file_system import replace_file

FILE = "gallery.json"


class _Choice(BaseModel):
    folder: Path


def chosen_gallery(data: Path) -> Path | None:
    """Return the chosen folder; None if none was chosen, or the file cannot be read."""
    try:
        return _Choice.model_validate_json((data.expanduser() / FILE).read_bytes()).folder
    except (OSError, ValidationError):
        return None


def keep_choice(data: Path, folder: Path | None) -> None:
    """Keep the chosen folder; None chooses the sample gallery. Raises OSError."""
    file = data.expanduser() / FILE
    if folder is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{FILE}.{os.getpid()}-{secrets.token_hex(4)}")
    part.write_text(_Choice(folder=folder).model_dump_json(), encoding="utf-8")
    replace_file(part, file)
