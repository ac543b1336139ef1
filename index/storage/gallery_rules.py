"""What of a gallery folder is left out of the index: system folders, ignore patterns, Boxfind's own folders."""

import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from pathspec import GitIgnoreSpec

from retrieval.errors import GalleryProblem, UnreadableImage
from retrieval.images.file_kinds import suffix_of
from retrieval.images.limits import RAW_SUFFIXES, SOURCE_LIMITS, SourceLimits
from retrieval.printable_names import shown

IGNORE_FILE = ".boxfindignore"
"""A file of patterns for its folder and everything below."""
NO_MEDIA = ".nomedia"
"""A file that makes Android leave out its folder and everything below."""
SYSTEM_FOLDERS = GitIgnoreSpec.from_lines(
    [
        *("@eaDir/", r"\#recycle/", r"\#snapshot/", "@tmp/"),  # Synology
        *("@Recycle/", "@Recently-Snapshot/"),  # QNAP
        *("$RECYCLE.BIN/", "$Recycle.Bin/", "RECYCLER/", "RECYCLED/", "System Volume Information/"),  # Windows
        *("__MACOSX/", "Network Trash Folder/", "Temporary Items/"),  # macOS
        *("lost+found/", "~snapshot/"),  # Linux, NetApp
        *("files_trashbin/", "files_versions/", "appdata_oc*/"),  # Nextcloud, ownCloud
        *(
            f"**/*.{kind}/{part}/"
            for kind in ("photoslibrary", "photolibrary", "migratedphotolibrary", "aplibrary")
            for part in ("resources", "private", "internal", "database", "scopes", "Thumbnails", "Previews", "Caches")
        ),
        *("*.lrdata/", "**/CaptureOne/Cache/"),  # previews of Lightroom and Capture One
    ]
)
"""Folders for trash, snapshots and previews; all patterns match folders only."""
SYSTEM, PATTERN, OWN = "system", "pattern", "own"
LIVE, RAW_TWIN = "live", "raw"
"""The film of a Live Photo, which is a photo already; a raw file beside the JPEG of the same photo."""
TWINS = (
    (LIVE, (".mov",), (".heic", ".heif")),
    (RAW_TWIN, RAW_SUFFIXES, (".jpg", ".jpeg", ".jpe", ".heic", ".hif")),
)
"""Why a file is left out, its suffixes, and those of a file of the same name that shows the same picture."""
BELOW_MIN_SIDE = "below_min_side"
"""Skip reason of pictures below the smallest side of the rules."""
NAMED = 5
"""Most names of folders in a sentence."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A folder or file that is left out with everything below it, and why: SYSTEM, NO_MEDIA, PATTERN, OWN and so on."""

    path: bytes
    """Relative to the gallery, as raw file system bytes."""
    why: str


@dataclass(frozen=True, slots=True)
class GalleryRules:
    """Which folders make up a gallery, and which files and pictures of them are left out.

    System folders and folders with a .nomedia file are left out by default.
    """

    ignore: tuple[str, ...] = ()
    """Patterns in gitignore syntax, relative to the gallery. `!pattern` brings back what is left out by default."""
    min_side: int = 0
    """Pictures whose shorter side has fewer pixels are left out."""
    incomplete: bool = False
    """Whether pictures of which a part is missing are indexed; those already in the index stay there."""
    limits: SourceLimits = SOURCE_LIMITS
    """Limits of files: bytes, pages, frames. What is in the index stays there until its file changes."""
    own_folders: frozenset[Path] = frozenset()
    """Resolved folders of Boxfind, which may lie in the gallery."""
    more_folders: tuple[Path, ...] = ()
    """Resolved folders whose pictures belong to the gallery, too; see `scan_gallery`."""

    def with_own_folder(self, folder: Path) -> Self:
        return replace(self, own_folders=self.own_folders | {folder.resolve()})


DEFAULT_RULES = GalleryRules()


class Patterns:
    """The ignore patterns that apply in one folder: its own first, then those of the folders around it."""

    def __init__(self, specs: tuple[tuple[str, GitIgnoreSpec], ...] = ()) -> None:
        """`specs`: the folder, "" or ending in /, and its patterns; innermost first."""
        self._specs = specs

    def __bool__(self) -> bool:
        return bool(self._specs)

    def within(self, folder: str, lines: Iterable[str], source: str) -> "Patterns":
        """Add the patterns of a folder. Raises GalleryProblem if one is not valid."""
        return Patterns(((folder, compiled(lines, source)), *self._specs))

    def verdict(self, path: str) -> bool | None:
        """Whether a path relative to the gallery is left out; None if no pattern matches. Folders end in /."""
        for folder, spec in self._specs:
            left_out = spec.check_file(path.removeprefix(folder)).include
            if left_out is not None:
                return left_out
        return None


def first_patterns(rules: GalleryRules) -> Patterns:
    """The patterns of the settings. Raises GalleryProblem."""
    return Patterns().within("", rules.ignore, "BOXFIND_IGNORE") if rules.ignore else Patterns()


def why_left_out(folder: str, relative: str, verdict: bool | None, rules: GalleryRules) -> str:
    """Why a folder is left out, by its real path and the path in the gallery; "" if it is not.

    `verdict` is that of the patterns. Whether it contains a .nomedia file is not looked at.
    """
    if Path(folder) in rules.own_folders:
        return OWN
    if verdict is not None:
        return PATTERN if verdict else ""
    return SYSTEM if SYSTEM_FOLDERS.match_file(f"{relative}/") else ""


def why_twin_left_out(name: str, names: Container[str], is_ignored: Callable[[str], bool]) -> str:
    """Why a file is left out for another one in its folder that shows the same picture; "" if it is not."""
    suffix = suffix_of(name)
    stem = name[: len(name) - len(suffix)]
    for why, suffixes, others in TWINS:
        if suffix in suffixes:
            twins = (stem + written for other in others for written in (other, other.upper(), other.capitalize()))
            return why if any(twin in names and not is_ignored(twin) for twin in twins) else ""
    return ""


def ignores(root: Path, file: str, rules: GalleryRules) -> bool:
    """Whether a scan of the gallery `root` leaves out this file in a subfolder of it. Raises GalleryProblem."""
    patterns, folder, relative = first_patterns(rules), root, ""
    *parents, name = file.split("/")
    for part in ["", *parents]:
        verdict: bool | None = None
        if part:
            folder, relative = folder / part, f"{relative}{part}"
            verdict = patterns.verdict(f"{relative}/")
            if why_left_out(str(folder), relative, verdict, rules):
                return True
            relative += "/"
        if part and verdict is not False and (folder / NO_MEDIA).exists():
            return True
        if os.path.lexists(folder / IGNORE_FILE):
            patterns = patterns.within(relative, read_ignore_file(folder / IGNORE_FILE), shown(relative + IGNORE_FILE))
    return bool(patterns.verdict(f"{relative}{name}"))


def check_side(name: str, size: tuple[int, int], min_side: int) -> None:
    """Raises UnreadableImage if the shorter side of a picture has fewer than `min_side` pixels."""
    if min(size) < min_side:
        raise UnreadableImage(BELOW_MIN_SIDE, small_sentence(name, size, min_side))


def small_sentence(name: str, size: tuple[int, int], min_side: int) -> str:
    """Why a picture with a side below `min_side` pixels is left out."""
    return (
        f"{shown(name)} is {size[0]} x {size[1]} pixels; pictures with a side below {min_side} pixels are left out "
        "(BOXFIND_MIN_SIDE)."
    )


def compiled(lines: Iterable[str], source: str) -> GitIgnoreSpec:
    """Compile gitignore patterns. Raises GalleryProblem, which names the source and the pattern."""
    patterns: list[Any] = []
    for line in lines:
        try:
            patterns.extend(GitIgnoreSpec.from_lines([line]).patterns)
        except ValueError:
            raise GalleryProblem(
                f"{source} contains the pattern {shown(line)}, which is not valid; correct it."
            ) from None
    return GitIgnoreSpec(patterns)


def read_ignore_file(path: Path) -> list[str]:
    """The lines of an ignore file. Raises GalleryProblem: without it, private pictures could be indexed."""
    try:
        problem = "" if path.is_file() else "it is not a file"
        lines = [] if problem else path.read_bytes().decode("utf-8-sig", "surrogateescape").splitlines()
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise GalleryProblem(f"The patterns in {shown(str(path))} cannot be read: {problem}.")
    return lines


def is_left_out(path: bytes, left_out: Container[bytes]) -> bool:
    """Whether a path, or a folder above it, is one of those that are left out."""
    parts = path.split(b"/")
    return any(b"/".join(parts[:count]) in left_out for count in range(1, len(parts) + 1))


def left_out_sentence(left_out: Sequence[LeftOut]) -> str:
    """ "Left out: 3 system folders (#recycle, @eaDir), 12 files and folders by pattern."; "" if there is nothing."""
    counts = Counter(entry.why for entry in left_out)
    texts = {
        SYSTEM: ("system folder", "system folders"),
        NO_MEDIA: (f"folder with a file {NO_MEDIA}", f"folders with a file {NO_MEDIA}"),
        OWN: ("folder of Boxfind", "folders of Boxfind"),
        PATTERN: ("file or folder by pattern", "files and folders by pattern"),
        LIVE: ("film of a Live Photo", "films of Live Photos"),
        RAW_TWIN: ("raw file beside a JPEG of the same name", "raw files beside a JPEG of the same name"),
    }
    parts = []
    for why, (one, many) in texts.items():
        names = sorted(
            {shown(entry.path.rpartition(b"/")[2].decode("utf-8", "replace")) for entry in left_out if entry.why == why}
        )
        if counts[why]:
            more = ", …" if len(names) > NAMED else ""
            parts.append(f"{counts[why]:,} {one if counts[why] == 1 else many} ({', '.join(names[:NAMED])}{more})")
    return f"Left out: {', '.join(parts)}." if parts else ""
