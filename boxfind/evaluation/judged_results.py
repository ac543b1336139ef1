"""Rate a ranking when only some of its results have been judged.

Results that nobody judged are left out of the ranking before it is rated (condensed lists; Sakai, SIGIR 2007): they
count neither as right nor as wrong. A ranking whose first results are mostly unjudged is not rated at all.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from boxfind.evaluation.metrics import Quality, rate_judged

FIRST = 10
"""Number of top results that should be judged."""
ENOUGH_JUDGED = 5
"""Minimum number of judged results among the first ten for a rating."""
NEARLY_ALL_JUDGED = 8
"""The same if no result is judged as wrong: any ranking of right results alone looks perfect."""


@dataclass(frozen=True, slots=True)
class Judgements:
    """The images that are known to be right and wrong for a search."""

    right: Collection[str]
    wrong: Collection[str]

    def judged(self, ranking: Sequence[str]) -> int:
        """How many of the first ten results are judged."""
        return sum(image in self.right or image in self.wrong for image in ranking[:FIRST])

    def missing(self, ranking: Sequence[str]) -> str:
        """Which judgements a rating of this ranking still needs; empty if there are enough."""
        first, judged = ranking[:FIRST], self.judged(ranking)
        so_far = f"{judged} of the first {len(first)} results {'is' if judged == 1 else 'are'} marked"
        if judged < min(ENOUGH_JUDGED, len(first)):
            return f"{so_far}; at least {min(ENOUGH_JUDGED, len(first))} are needed."
        if judged < min(NEARLY_ALL_JUDGED, len(first)) and not any(image in self.wrong for image in ranking):
            return f"{so_far}, none as wrong; mark the others too."
        return ""

    def quality(self, ranking: Sequence[str]) -> Quality:
        """The quality of the ranking without the results that are not judged; `right` must not be empty."""
        return rate_judged([image for image in ranking if image in self.right or image in self.wrong], self.right)
