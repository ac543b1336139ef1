"""Save files derived from networks if the disk allows it. Without them, only the next start takes longer."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

log = logging.getLogger("boxfind.networks")


@contextmanager
def optional_cache(folder: Path) -> Iterator[None]:
    """Ignore that the body cannot write to the folder, with one warning per folder in the log.

    OpenVINO raises RuntimeError when a disk is full or a folder is not writable.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        _warn(folder, getattr(error, "strerror", None) or "it is not writable, or its disk is full")


@cache
def _warn(folder: Path, reason: str) -> None:
    log.warning(
        "Converted networks cannot be saved in %s: %s. They are kept in memory; searches work, and each start of the "
        "program takes some seconds longer.",
        folder,
        reason[0].lower() + reason[1:],
    )
