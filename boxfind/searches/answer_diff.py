"""Compare the current hits of a saved search with those at the time it was saved."""

from collections.abc import Sequence
from dataclasses import dataclass

from boxfind.searches.saved_searches import MOST_HITS, Saved


@dataclass(frozen=True, slots=True)
class AnswerDiff:
    """Ids of images, best first."""

    new: tuple[str, ...]
    """Current hits that were not hits when the search was saved."""
    gone: tuple[str, ...]
    """Former hits that are no longer hits: removed from the gallery, or displaced by better ones."""


def answer_diff(saved: Saved, now: Sequence[str]) -> AnswerDiff:
    """`now`: ids of the current hits, best first, as many as were requested when the search was saved."""
    now = now[:MOST_HITS]
    then, today = set(saved.answer), set(now)
    return AnswerDiff(
        tuple(image for image in now if image not in then),
        tuple(image for image in saved.answer if image not in today),
    )
