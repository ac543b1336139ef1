"""Which index belongs to a gallery folder that has moved, kept in the data folder: the index stays where it is."""

import os
import secrets
from collections.abc import Container
from pathlib import Path

from pydantic import RootModel, ValidationError

from index.storage.file_system import replace_file

FILE = "attached.json"


class _Attached(RootModel[dict[Path, Path]]):
    """Gallery folder -> index folder, relative to the folder of the indexes if it is there."""


def index_attached_to(data: Path, gallery: Path, own: Path, taken: Container[str] = ()) -> Path:
    """The index folder of a gallery: the one that followed it, or `own` unless that has followed another folder.

    `taken`: the names of folders that belong to collections of other folders.
    """
    attached = {folder: own.parent / index for folder, index in _read(data).items()}
    if gallery in attached:
        return attached[gallery]
    while own in attached.values() or own.name in taken:
        own = own.with_name(f"{own.name}-2")
    return own


def names_of_attached(data: Path, gallery: Path) -> set[str]:
    """The names of the folders of indexes that have followed their gallery folder to another place than `gallery`."""
    return {index.name for folder, index in _read(data).items() if folder != gallery}


def attach_index(data: Path, gallery: Path, index_dir: Path) -> None:
    """Keep the index of a gallery that has moved here. Raises OSError."""
    index = Path(index_dir.name) if index_dir.parent == indexes_folder(data) else index_dir
    attached = {folder: other for folder, other in _read(data).items() if other != index} | {gallery: index}
    file = data.expanduser() / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{FILE}.{os.getpid()}-{secrets.token_hex(4)}")
    part.write_text(_Attached(attached).model_dump_json(), encoding="utf-8")
    replace_file(part, file)


def indexes_folder(data: Path) -> Path:
    """The folder of the indexes that have no folder of their own in the settings."""
    return data / "indexes"


def _read(data: Path) -> dict[Path, Path]:
    """Empty if no folder has moved, or the file cannot be read."""
    try:
        return _Attached.model_validate_json((data.expanduser() / FILE).read_bytes()).root
    except (OSError, ValidationError):
        return {}
