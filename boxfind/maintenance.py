"""Check an index, explain why a picture is (not) found, and roll back: for the command line and the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from boxfind.settings import Settings
from boxfind.stores import preparation, publisher_for
from index.operations import history
from index.operations.explain import Explanation, explain
from index.operations.explain_text import TextQuestion
from index.operations.folder_changes import folder_change_sentences
from index.operations.verify import remarks, verify
from retrieval.optional_packages import RAPIDOCR
from retrieval.types import Progress, quiet


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a check: what is wrong, and remarks that are not faults. Both are sentences."""

    faults: list[str]
    remarks: list[str]


def check_index(settings: Settings, progress: Progress = quiet) -> Check:
    """Read all files of the index and, if they are intact, compare it with the gallery folder. Raises IndexProblem."""
    index, rules = settings.index_dir, settings.gallery_rules
    faults = verify(index, progress) or folder_change_sentences(index, progress, rules)
    return Check(faults, remarks(index))


def explain_picture(settings: Settings, asked: str, outside: bool = True, sought: Sequence[str] = ()) -> Explanation:
    """Explain why a picture is or is not found, what is written in it, and which sought words it has.

    `asked` is an image id or a path. Without `outside`, no file outside the gallery is looked at. Raises IndexProblem,
    GalleryProblem.
    """
    off = "BOXFIND_TEXT is 0" if not settings.build.text else "" if RAPIDOCR.installed else "rapidocr is not installed"
    return explain(settings.index_dir, asked, settings.gallery_rules, outside, TextQuestion(tuple(sought), off))


def roll_back(settings: Settings, to: str = "", progress: Progress = quiet) -> Path:
    """Serve an earlier generation again, by default the newest intact one before; return its folder.

    Raises IndexProblem if it is missing or damaged, BuildRunning, and StoreUnavailable.
    """
    prepare = preparation(publisher_for(settings), progress)
    return history.roll_back(settings.index_dir, to, progress, prepare)
