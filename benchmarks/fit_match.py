"""Learn the weights of the match figure: python -m benchmarks.fit_match DATASET [--index INDEX] .

Writes retrieval/ranking/match_weights.py. The queries of one half of the data set's objects take part (the other half
judges, `python -m benchmarks calibration`), and drawn objects with recoloured sisters.
"""

import tempfile
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.drawn_sisters import draw_sisters
from benchmarks.judged_answers import JudgedAnswer, judged_answers
from benchmarks.quality import held_out
from boxfind.engine import Engine
from boxfind.evaluation.dataset_formats import read_dataset
from boxfind.settings import Settings
from retrieval.ranking import match_weights
from retrieval.ranking.match_figure import PARTS, Evidence, Weights, answer_evidence
from retrieval.types import quiet

WEIGHT_OF_KEPT: Mapping[int | None, float] = {None: 1.0, 3: 0.5, 1: 0.5, 0: 0.5}
"""Weight of an answer by the pictures of its object that are in the gallery, see judged_answers.KEPT."""
PENALTY = 1e-3
"""Of squared weights, of evidence scaled to unit variance."""
HIT = {
    "fast": ("rarity",),
    "best": (*PARTS, "rarity", "verified", "rarity of a match", "inliers", "cover", "alike", "unlike"),
}
"""Evidence that takes part, by ranking."""
ANSWER = ("hit", "first five", "no sisters")
DRAWN_WEIGHT = {"fast": 0.02, "best": 0.1}
"""Weight of an answer from drawn pictures. They teach what a sister is, not how common sisters are."""
FILE = Path(match_weights.__file__)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = ArgumentParser("python -m benchmarks.fit_match", description=__doc__)
    parser.add_argument("dataset", type=Path, help="folder of a labelled data set")
    parser.add_argument("--index", type=Path, help="index of its gallery, built if missing")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        drawn = Path(scratch) / "drawn"
        draw_sisters(drawn)
        engines = [
            _engine(given.dataset.resolve(), (given.index or Path(scratch) / "index").resolve()),
            _engine(drawn, Path(scratch) / "drawn index"),
        ]
        learned = {}
        for ranking in HIT:
            dataset, sisters = read_dataset(given.dataset.resolve()), read_dataset(drawn)
            objects = set(dataset.objects.values())
            answers = judged_answers(engines[0], dataset, ranking, objects - held_out(objects))
            more = judged_answers(engines[1], sisters, ranking, set(sisters.objects.values()))
            shares = [1.0] * len(answers) + [DRAWN_WEIGHT[ranking]] * len(more)
            learned[ranking] = fit(answers + more, shares, HIT[ranking])
    FILE.write_text(source_of(learned), encoding="utf-8")
    print(FILE.read_text(encoding="utf-8"))


def fit(answers: Sequence[JudgedAnswer], shares: Sequence[float], names: Sequence[str]) -> Weights:
    """Fit both logistic models, the one of single hits first; `names` of evidence are its inputs.

    `shares` are weights of the answers.
    """
    right = np.array([right for answer in answers for right in answer.right], float)
    weighted = [share * WEIGHT_OF_KEPT[answer.kept] for answer, share in zip(answers, shares, strict=True)]
    counts = np.repeat(weighted, [len(answer.right) for answer in answers])
    found = [hit.evidence for answer in answers for hit in answer.hits]
    alone = Weights(_logistic(_table(found, names), right, counts, names), {})
    listed = [answer_evidence([hit.evidence for hit in answer.hits], alone) for answer in answers]
    inputs = np.concatenate([np.stack([each[name] for name in ANSWER], axis=1) for each in listed])
    return Weights(alone.hit, _logistic(inputs, right, counts, ANSWER))


def source_of(learned: Mapping[str, Weights]) -> str:
    """The Python module with these weights."""
    lines = [
        '"""The weights of the match figure, written by `python -m benchmarks.fit_match`; do not edit."""',
        "",
        "from retrieval.ranking.match_figure import Weights",
        "",
        "WEIGHTS = {",
    ]
    for ranking, weights in learned.items():
        lines.append(f'    "{ranking}": Weights(')
        for part, table in (("hit", weights.hit), ("answer", weights.answer)):
            lines += [f"        {part}={{", *(f'            "{name}": {value:.3f},' for name, value in table.items())]
            lines.append("        },")
        lines.append("    ),")
    return "\n".join([*lines, "}", ""])


def _engine(dataset: Path, index: Path) -> Engine:
    engine = Engine(Settings.load().changed(gallery=dataset / "gallery", index=index, text=True))
    if not index.exists():
        engine.builds.build(quiet)
    engine.builds.read_text(quiet)
    return engine


def _table(found: Iterable[Evidence], names: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[evidence.get(name, 0.0) for name in names] for evidence in found])


def _logistic(
    inputs: NDArray[np.float64], right: NDArray[np.float64], counts: NDArray[np.float64], names: Sequence[str]
) -> dict[str, float]:
    """Weights by name, none negative, that predict `right` (N,) from inputs (N, E). `counts` (N,) weigh the rows."""
    spread = np.maximum(inputs.std(axis=0), 1e-9)
    scaled, share = (inputs - inputs.mean(axis=0)) / spread, counts / counts.sum()

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = weights[0] + scaled @ weights[1:]
        wrong = share * (1 / (1 + np.exp(-odds)) - right)
        value = share @ (np.logaddexp(0, odds) - right * odds) + PENALTY * np.square(weights[1:]).sum()
        return float(value), np.concatenate([[wrong.sum()], scaled.T @ wrong + 2 * PENALTY * weights[1:]])

    bounds = [(None, None)] + [(0, None)] * len(names)
    found = minimize(loss, np.zeros(1 + len(names)), jac=True, bounds=bounds, method="L-BFGS-B").x
    weights = found[1:] / spread * (inputs.std(axis=0) > 0)
    constant = found[0] - weights @ inputs.mean(axis=0)
    return {"constant": float(constant)} | dict(zip(names, weights.tolist(), strict=True))


if __name__ == "__main__":
    main()
