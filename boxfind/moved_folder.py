"""Recognise a gallery folder that was moved or renamed, and let its index follow."""

import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from boxfind.attached_indexes import attach_index, indexes_folder
from boxfind.collection_table import Collection, CollectionsProblem, CollectionTable
from boxfind.settings import Settings
from boxfind.stores import preparation, publisher_for
from index.operations.attach_gallery import attach_gallery
from index.operations.away_check import is_away
from index.operations.moved_gallery import FIND_SECONDS, find_gallery, gallery_sample, is_same_gallery
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from index.storage.time_limit import result_within
from retrieval.errors import IndexProblem
from retrieval.types import quiet

COMPARE_SECONDS = 10.0


def moved_to(settings: Settings) -> Path | None:
    """Where the folder of the index is now, if it is gone and found at another place. Takes some seconds at most."""
    try:
        sample = gallery_sample(settings.index_dir)
    except IndexProblem:
        return None
    if not is_away(sample.folder):
        return None
    likely = [] if settings.is_sample else [settings.gallery_dir]
    return result_within(FIND_SECONDS + 1, partial(find_gallery, sample, likely), None)


def index_of_moved(settings: Settings, gallery: Path) -> Path | None:
    """The index of the folder that has moved to `gallery`: the old one is gone, and the same pictures are here.

    It is that of the settings if they name one, as those of a collection do. None if `gallery` has an index. Takes some
    seconds at most.
    """
    if settings.index is not None:
        indexes: Iterable[Path] = [settings.index_dir]
    else:
        indexes = [] if has_index(settings, gallery) else _indexes(settings)
    return next((index_dir for index_dir in indexes if _was_of(index_dir, gallery)), None)


def other_folder_moved_to(settings: Settings, folder: Path) -> Path | None:
    """The second or a further folder of a collection, if it is gone and its pictures are in `folder`.

    Takes some seconds at most. The index may name a place before that one.
    """
    try:
        indexed = len(read_manifest(current_folder(settings.index_dir)).more_folders)
    except IndexProblem:
        return None
    others = enumerate(settings.more_folders, start=1) if indexed == len(settings.more_folders) else ()
    gone = ((number, old) for number, old in others if is_away(str(old)))
    return next((old for number, old in gone if _was_of(settings.index_dir, folder, number)), None)


def has_index(settings: Settings, gallery: Path) -> bool:
    """Whether a folder has an index that settings use which name none."""
    return (settings.changed(gallery=gallery, index=None).index_dir / "CURRENT").exists()


def names(index_dir: Path, gallery: Path) -> bool:
    """Whether an index is of the pictures in this folder already."""
    try:
        return os.path.normpath(read_manifest(current_folder(index_dir)).gallery) == str(gallery)
    except IndexProblem:
        return False


def follow(settings: Settings, gallery: Path) -> Path | None:
    """Let the index of the folder that has moved to `gallery` follow, and return where that was; None if there is none.

    Settings that are loaded afterwards use it; the table of collections is not changed. Raises OSError, DiskFull,
    IndexProblem, BuildRunning; nothing has changed then.
    """
    index_dir = index_of_moved(settings, gallery)
    if index_dir is None:
        return None
    old = Path(read_manifest(current_folder(index_dir)).gallery)
    publisher = publisher_for(settings.changed(gallery=gallery, index=index_dir))
    if settings.collection:
        attach_gallery(index_dir, gallery, preparation(publisher, quiet))
        return old
    attach_index(settings.data, gallery, index_dir)
    try:
        attach_gallery(index_dir, gallery, preparation(publisher, quiet))
    except BaseException:
        with suppress(OSError):
            attach_index(settings.data, old, index_dir)
        raise
    return old


def moved_sentence(settings: Settings) -> str:
    """Where the folder of the index is now, and the command that follows it; empty if it is there, or is not found."""
    place = moved_to(settings)
    if place is None:
        return ""
    if settings.collection:
        command = f"boxfind collections move {_quoted(settings.collection)} {_quoted(place)}"
        return f"The same pictures are in {place}: run {command}; nothing is read again."
    index = f" --index {_quoted(settings.index_dir)}" if settings.index else ""
    command = f"boxfind build --gallery {_quoted(place)}{index}"
    return f"The same pictures are in {place}: run {command}; nothing is read again."


def _quoted(word: Path | str) -> str:
    if sys.platform != "win32":
        return shlex.quote(str(word))
    return f'"{word}"' if " " in str(word) else str(word)


def _indexes(settings: Settings) -> Iterator[Path]:
    """The index of these settings, and all others but those of collections, which have exclusions and more folders."""
    yield settings.index_dir
    folder, collections = indexes_folder(settings.data), list[Collection]()
    with suppress(CollectionsProblem):
        collections += CollectionTable(settings.data).read()
    passed_over = {collection.index.name for collection in collections if collection.index} | {settings.index_dir.name}
    for index in sorted(folder.expanduser().glob("*/CURRENT")):
        if index.parent.name not in passed_over:
            yield folder / index.parent.name


def _was_of(index_dir: Path, folder: Path, number: int = 0) -> bool:
    """Whether a folder of an index, by default the first one, is gone, and its pictures are in `folder`."""
    try:
        manifest = read_manifest(current_folder(index_dir))
        old = (manifest.gallery, *manifest.more_folders)[number]
        if os.path.normpath(old) == str(folder) or not is_away(old):
            return False
        sample = gallery_sample(index_dir, number)
        return result_within(COMPARE_SECONDS, partial(is_same_gallery, sample, folder), False)
    except IndexProblem:
        return False
