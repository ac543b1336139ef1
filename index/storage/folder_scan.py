"""Scan a gallery folder for image files and assign their ids."""

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from index.storage.file_system import is_junction
from index.storage.gallery_rules import (
    DEFAULT_RULES,
    IGNORE_FILE,
    NO_MEDIA,
    PATTERN,
    GalleryRules,
    LeftOut,
    first_patterns,
    read_ignore_file,
    why_left_out,
    why_twin_left_out,
)
from index.storage.time_limit import answers
from retrieval.errors import GalleryProblem
from retrieval.images.file_kinds import (
    FORMAT_OF_SUFFIX,
    START,
    UNREAD,
    is_unread,
    is_worth_opening,
    picture_format,
    readable_suffixes,
    suffix_of,
    unread_sentence,
)
from retrieval.images.places import split_id
from retrieval.printable_names import shown


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """An image file. `id` is its path relative to the gallery, POSIX style in NFC; `path` is its real path.

    The ids of files in another folder of the gallery begin with the name of that folder.
    """

    id: str
    path: Path
    relative: bytes
    """Path relative to the gallery, or absolute in another folder of it, as raw file system bytes."""
    bytes: int
    """Size and mtime at the time of the scan; for links those of the target."""
    mtime: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not indexed, with a reason code and a sentence for users.

    Size and mtime are 0 if unknown, and for links that are not followed.
    """

    file: str
    reason: str
    sentence: str
    bytes: int = 0
    mtime: float = 0.0
    place: str = ""
    """The page or frame of a file that is skipped; `file` is then its id."""

    @property
    def source(self) -> str:
        """The id of the file."""
        return self.file.removesuffix(f"#{self.place}") if self.place else self.file


@dataclass(frozen=True, slots=True)
class Scan:
    """The files of a gallery folder."""

    found: list[ScannedFile]
    """Sorted by id. The ids of `found` and `skipped` are unique."""
    skipped: list[Skipped]
    """Pictures in formats that cannot be read yet, outside links, special files and so on."""
    left_out: list[LeftOut]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A file that may be a picture, a link to a folder, or a folder that cannot be opened."""

    path: str
    relative: str
    is_link: bool = False
    unread: str = ""
    """The format of a picture that cannot be read yet."""
    error: OSError | None = None


def find_pictures(gallery: Path, rules: GalleryRules = DEFAULT_RULES) -> tuple[list[ScannedFile], list[Skipped]]:
    """The found and skipped files of `scan_gallery`."""
    scan = scan_gallery(gallery, rules)
    return scan.found, scan.skipped


def scan_gallery(gallery: Path, rules: GalleryRules = DEFAULT_RULES, known: Iterable[Skipped] = ()) -> Scan:
    """Find all images below the folder, and below the other folders of the gallery that the rules name.

    A file with the suffix of a picture, document or film counts as one, whatever it contains. A file with the suffix of
    another kind, such as a program, does not. Any other file is opened, and counts as a picture if it begins like one.
    Files in `known`, skipped by an earlier scan, are not opened again unless they changed. Hidden files, and files that
    are no pictures, are in no list. Raises GalleryProblem if the folder is missing or not readable, or a .boxfindignore
    file cannot be used.
    """
    known = list(known)
    scans = [_scan_folder(gallery, rules, known)]
    for folder, label in folder_labels(rules.more_folders).items():
        own = [replace(file, file=file.file.removeprefix(label)) for file in known if file.file.startswith(label)]
        scans.append(_labelled(_scan_folder(folder, rules, own), folder, label))
    return scans[0] if len(scans) == 1 else _joined(scans)


def has_files(folder: Path) -> bool:
    """Whether there is anything but hidden files in a folder. A drive that is not mounted leaves an empty folder."""
    try:
        with os.scandir(folder) as entries:
            return any(not entry.name.startswith(".") for entry in entries)
    except (OSError, ValueError):  # ValueError: a name from another system
        return False


def folder_labels(folders: Sequence[Path]) -> dict[Path, str]:
    """With what the ids of files in these folders begin: the name of each and a slash, numbered if two are equal."""
    labels: dict[Path, str] = {}
    for folder in folders:
        base = id_of(folder.name) or "drive"
        label, number = f"{base}/", 1
        while label in labels.values():
            number += 1
            label = f"{base} ({number})/"
        labels[folder] = label
    return labels


def _labelled(scan: Scan, folder: Path, label: str) -> Scan:
    """The scan of another folder as part of the gallery."""
    above = start_of_paths(folder)
    return Scan(
        [replace(file, id=label + file.id, relative=above + file.relative) for file in scan.found],
        [replace(file, file=label + file.file) for file in scan.skipped],
        [replace(entry, path=above + entry.path) for entry in scan.left_out],
    )


def _joined(scans: Sequence[Scan]) -> Scan:
    """One scan of several. A file whose id is taken, by a folder called like another one of the gallery, gets a ~."""
    taken = set[str]()

    def free(name: str) -> str:
        while name in taken:
            name += "~"
        taken.add(name)
        return name

    found = [replace(file, id=free(file.id)) for scan in scans for file in scan.found]
    skipped = [replace(file, file=free(file.file)) for scan in scans for file in scan.skipped]
    left_out = [entry for scan in scans for entry in scan.left_out]
    return Scan(sorted(found, key=lambda f: f.id), skipped, left_out)


def _scan_folder(gallery: Path, rules: GalleryRules, known: Iterable[Skipped]) -> Scan:
    """Raises GalleryProblem."""
    if not answers(gallery):
        raise GalleryProblem(
            f"The gallery folder {gallery} does not answer; check that its drive or network is connected, and try "
            "again."
        )
    if not gallery.is_dir():
        raise GalleryProblem(
            f"The gallery folder {gallery} does not exist; check the path, and that its disk is connected."
        )
    root = str(gallery.resolve())
    left_out: list[LeftOut] = []
    entries = []
    ids = set[str]()
    for candidate in _walk(root, rules, {file.file: file for file in known if file.reason == UNREAD}, left_out):
        relative = os.fsencode(candidate.relative)
        image_id = id_of(candidate.relative)
        ids.add(image_id)
        entries.append((image_id, image_id.encode() != relative, relative, candidate))
    found, skipped, taken = [], [], set[str]()
    for image_id, _, relative, candidate in sorted(entries, key=lambda entry: entry[:3]):
        # Distinct file names with the same NFC form, of which the one in NFC keeps the id; or a file that is called
        # like a page of another one.
        while image_id in taken or (split_id(image_id)[1] and split_id(image_id)[0] in ids):
            image_id += "~"
        taken.add(image_id)
        entry = _classify(image_id, candidate, relative, root)
        if isinstance(entry, ScannedFile):
            found.append(entry)
        else:
            skipped.append(entry)
    return Scan(sorted(found, key=lambda f: f.id), skipped, left_out)


def path_bytes(path: PurePath) -> bytes:
    """A path as raw file system bytes, with / as the separator on every system."""
    return os.fsencode(path.as_posix())


def start_of_paths(folder: PurePath) -> bytes:
    """With what the paths of files in another folder of a gallery begin: the path of that folder and a slash."""
    return path_bytes(folder).rstrip(b"/") + b"/"


def id_of(relative: str) -> str:
    """The id of a path relative to the gallery, which has / as the separator: valid Unicode, in NFC."""
    if relative.isascii():
        return relative
    return unicodedata.normalize("NFC", os.fsencode(relative).decode("utf-8", "replace"))


def _walk(root: str, rules: GalleryRules, known: dict[str, Skipped], left_out: list[LeftOut]) -> Iterator[_Candidate]:
    """Yield what may be a picture, and add to `left_out` what the rules leave out."""
    readable = readable_suffixes()
    # Real path, path in the gallery with a final /, patterns, and whether the folder itself was asked for.
    to_visit = [(root, "", first_patterns(rules), True)]
    while to_visit:
        folder, prefix, patterns, wanted = to_visit.pop()
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            if not prefix:
                raise GalleryProblem(f"The gallery folder {root} cannot be opened: {error.strerror}.") from None
            yield _Candidate(folder, prefix.rstrip("/"), error=error)
            continue
        names = {entry.name for entry in entries}
        if NO_MEDIA in names and not wanted:
            left_out.append(LeftOut(os.fsencode(prefix.rstrip("/")), NO_MEDIA))
            continue
        if IGNORE_FILE in names:
            lines = read_ignore_file(Path(folder, IGNORE_FILE))
            patterns = patterns.within(prefix, lines, shown(prefix + IGNORE_FILE))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            relative = prefix + entry.name
            if _is_folder(entry):
                verdict = patterns.verdict(f"{relative}/")
                why = why_left_out(entry.path, relative, verdict, rules)
                if why:
                    left_out.append(LeftOut(os.fsencode(relative), why))
                elif _is_link(entry):
                    yield _Candidate(entry.path, relative, is_link=True)
                else:
                    to_visit.append((entry.path, f"{relative}/", patterns, verdict is False))
                continue
            has_suffix = suffix_of(entry.name) in readable
            if not has_suffix and not is_worth_opening(entry.name):
                continue
            if patterns and patterns.verdict(relative):
                left_out.append(LeftOut(os.fsencode(relative), PATTERN))
                continue
            why = why_twin_left_out(entry.name, names, lambda twin: bool(patterns.verdict(prefix + twin)))  # noqa: B023
            if why:
                left_out.append(LeftOut(os.fsencode(relative), why))
                continue
            found = "JPEG" if has_suffix else _format(entry, relative, root, known)
            if found:
                yield _Candidate(entry.path, relative, entry.is_symlink(), found if is_unread(found) else "")


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether this is a folder or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # such as a link loop
        return False


def _is_link(entry: "os.DirEntry[str]") -> bool:
    """Whether this folder is a symbolic link or a junction."""
    return entry.is_symlink() or is_junction(entry.stat(follow_symlinks=False))


def _format(entry: "os.DirEntry[str]", relative: str, root: str, known: dict[str, Skipped]) -> str:
    """The picture format of a file with another suffix; "" if it is no picture, or cannot be read to find out."""
    by_suffix = FORMAT_OF_SUFFIX.get(suffix_of(entry.name), "")
    try:
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root):
            return by_suffix
        status, before = entry.stat(), known.get(id_of(relative))
        if before and by_suffix and (before.bytes, before.mtime) == (status.st_size, status.st_mtime):
            return by_suffix
        if not stat.S_ISREG(status.st_mode):
            return by_suffix
        return picture_format(entry.name, _first_bytes(entry.path))
    except (OSError, RuntimeError):  # a link loop raises either, depending on the Python version
        return by_suffix


def _first_bytes(path: str) -> bytes:
    """Raises OSError."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a FIFO is not waited for
    file = os.open(path, flags)
    try:
        return os.read(file, START)
    finally:
        os.close(file)


def _classify(image_id: str, candidate: _Candidate, relative: bytes, root: str) -> ScannedFile | Skipped:
    path = Path(candidate.path)
    if candidate.error:
        return _unreadable(image_id, path, candidate.error)
    try:
        outside = candidate.is_link and not path.resolve(strict=True).is_relative_to(root)
        status = path.stat()
    except PermissionError as error:
        return _unreadable(image_id, path, error)
    except (OSError, RuntimeError):  # a link loop raises either, depending on the Python version
        return Skipped(image_id, "dangling", f"{shown(path.name)} is a broken link.")
    if stat.S_ISDIR(status.st_mode):
        where = "outside the gallery" if outside else "inside the gallery; its pictures are indexed by real path"
        return Skipped(image_id, "outside" if outside else "link", f"{shown(path.name)} is a link to a folder {where}.")
    if outside:
        return Skipped(image_id, "outside", f"{shown(path.name)} is a link to a file outside the gallery.")
    if not stat.S_ISREG(status.st_mode):
        return Skipped(
            image_id, "special", f"{shown(path.name)} is not a regular file.", status.st_size, status.st_mtime
        )
    if candidate.unread and status.st_size:  # a decoder says that a file is empty
        sentence = unread_sentence(shown(path.name), candidate.unread)
        return Skipped(image_id, UNREAD, sentence, status.st_size, status.st_mtime)
    return ScannedFile(image_id, path, relative, status.st_size, status.st_mtime)


def _unreadable(image_id: str, path: Path, error: OSError) -> Skipped:
    if isinstance(error, PermissionError):
        return Skipped(image_id, "permission", f"{shown(path.name)} may not be read; change its permissions.")
    return Skipped(image_id, "unreadable", f"{shown(path.name)} cannot be read: {error.strerror}.")
