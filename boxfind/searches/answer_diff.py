"""What has changed in the answer to a saved search since it was saved."""

from collections.abc import Sequence
from dataclasses import dataclass

from boxfind.searches.saved_searches import MOST_HITS, Saved


@dataclass(frozen=True, slots=True)
class AnswerDiff:
    """Ids of images, best first."""

    new: tuple[str, ...]
    """Hits now that were none when the search was saved."""
    gone: tuple[str, ...]
    """Hits when it was saved that are none now: no longer in the gallery, or pushed down by better ones."""


def answer_diff(saved: Saved, now: Sequence[str]) -> AnswerDiff:
    """`now`: ids of the hits, best first, as many as were asked for when the search was saved."""
    now = now[:MOST_HITS]
    then, today = set(saved.answer), set(now)
    return AnswerDiff(
        tuple(image for image in now if image not in then),
        tuple(image for image in saved.answer if image not in today),
    )
