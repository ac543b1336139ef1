"""Precision of the words likely, possible and unlikely."""

from collections import Counter
from collections.abc import Iterable
from typing import get_args

from benchmarks.bench import Bench
from benchmarks.results import record, table
from boxfind.evaluation.batch import make_answer
from retrieval.types import Confidence, Hit

WORDS: tuple[Confidence, ...] = get_args(Confidence)
HEADER = [
    "ranking",
    *(f"{word}: hits, precision" for word in WORDS),
    "object present: likely hit",
    "object present: no match reported",
    "object absent: likely hit",
    "object absent: no match reported",
]


def measure(bench: Bench) -> None:
    record(f"Confidence on {bench.dataset.name}", table(HEADER, [_row(bench, ranking) for ranking in ("fast", "best")]))


def _row(bench: Bench, ranking: str) -> list[str]:
    """Counts over all hits; then over queries, with and without the pictures that show the object."""
    labels, queries = bench.dataset.labels[bench.dataset.main], bench.dataset.queries
    answer = make_answer(bench.engine, bench.engine.gallery(), 0, ranking)
    found, correct, present, absent = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for query in queries:
        relevant, ignored = labels.relevant[query.name], labels.ignored.get(query.name, set())
        hits = [hit for hit in answer(query).hits if hit.image not in ignored]
        found.update(hit.confidence for hit in hits)
        correct.update(hit.confidence for hit in hits if hit.image in relevant)
        present[_most_confident(hits)] += 1
        absent[_most_confident(hit for hit in hits if hit.image not in relevant)] += 1
    return [
        ranking,
        *(f"{found[word]}, {correct[word] / max(found[word], 1):.1%}" for word in WORDS),
        *(f"{of[word] / len(queries):.1%}" for of in (present, absent) for word in ("likely", "unlikely")),
    ]


def _most_confident(hits: Iterable[Hit]) -> Confidence:
    return min((hit.confidence for hit in hits), key=WORDS.index)
