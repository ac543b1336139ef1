"""Calibration of the match figure: expected against seen, and likely hits for objects that are not in the gallery."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from benchmarks.bench import Bench
from benchmarks.judged_answers import KEPT, JudgedAnswer, judged_answers
from benchmarks.quality import held_out
from benchmarks.results import record, table
from boxfind.engine import Engine
from retrieval.types import Confidence, quiet

FITTED = {"instre-dev"}
"""The weights were fitted to half of the objects of these data sets, so only the other half is evaluated here."""
RANKINGS = ("fast", "best")
WORDS: tuple[set[Confidence], ...] = ({"likely"}, {"possible"}, {"unlikely", "uncertain"})
EDGES = (*range(0, 100, 10), 101)
BINS = ["ranking", "figure", "hits", "expected", "seen"]
KEPT_NAMES = {None: "all", 0: "none"}
SHARES = [
    "ranking",
    "pictures of the object in the gallery",
    "likely hit",
    "possible at most",
    "no match",
    "first hit right",
    "likely hits that are right",
    "right pictures that are likely",
]


def measure(bench: Bench) -> None:
    objects = set(bench.dataset.objects.values())
    judging = held_out(objects) if bench.dataset.name in FITTED else objects
    engine = Engine(bench.engine.settings.changed(text=True))
    engine.builds.read_text(quiet)
    bins, shares = [], []
    for ranking in RANKINGS:
        answers = judged_answers(engine, bench.dataset, ranking, judging)
        complete = [answer for answer in answers if answer.kept is None]
        bins += [[ranking, *row] for row in calibration_rows(complete)]
        for kept in KEPT:
            shares.append(
                [ranking, KEPT_NAMES.get(kept, str(kept)), *share_row([a for a in answers if a.kept == kept])]
            )
    record(f"Match figure on {bench.dataset.name}", table(BINS, bins), table(SHARES, shares))


def calibration_rows(answers: Sequence[JudgedAnswer]) -> list[list[str]]:
    """A row for each bin of figures: the bin, its hits, their mean figure and the share of right ones in percent."""
    figures = np.array([hit.match for answer in answers for hit in answer.hits])
    right = np.array([right for answer in answers for right in answer.right])
    rows = []
    for low, high in pairwise(EDGES):
        inside = (figures >= low) & (figures < high)
        means = [f"{figures[inside].mean():.1f}", f"{100 * right[inside].mean():.1f}"] if inside.any() else ["", ""]
        rows.append([f"{low} to {high - 1}", str(inside.sum()), *means])
    return rows


def share_row(answers: Sequence[JudgedAnswer]) -> list[str]:
    """Shares of queries by the word of their first hit, then of the likely hits and the right pictures; see SHARES."""
    first = [answer.hits[0].confidence for answer in answers]
    likely = np.array([hit.confidence == "likely" for answer in answers for hit in answer.hits])
    right = np.array([right for answer in answers for right in answer.right])
    shares = [
        *(np.mean([word in words for word in first]) for words in WORDS),
        np.mean([answer.right[0] for answer in answers]),
        (likely & right).sum() / max(likely.sum(), 1),
        (likely & right).sum() / max(right.sum(), 1),
    ]
    return [f"{share:.1%}" for share in shares]
