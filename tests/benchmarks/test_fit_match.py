"""The weights of the match figure are learned from judged answers and written as a Python module."""

import numpy as np
import pytest

from benchmarks import drawn_sisters
from benchmarks.calibration import calibration_rows, share_row
from benchmarks.fit_match import ANSWER, HIT, fit, source_of
from benchmarks.judged_answers import JudgedAnswer
from boxfind.evaluation.dataset_formats import read_dataset
from retrieval.ranking.confidence import confidence_of
from retrieval.ranking.match_figure import Weights, match_figures
from retrieval.types import Box, Hit, Region

HITS = 20


def hit(rarity: float, match: int = 0) -> Hit:
    evidence = {"rarity": rarity, "text": 0.0}
    word = confidence_of(match, certain=True)
    return Hit("a.jpg", Region(Box(0, 0, 9, 9), "whole"), rarity, 0.5, word, match=match, evidence=evidence)


def drawn_answer(seed: int) -> JudgedAnswer:
    """An answer in which log odds of 2 x rarity - 1 say how often a hit is right."""
    rng = np.random.default_rng(seed)
    rarities = np.sort(rng.uniform(-3, 3.5, HITS))[::-1]
    right = rng.random(HITS) < 1 / (1 + np.exp(1 - 2 * rarities))
    return JudgedAnswer("cup", None, [hit(rarity) for rarity in rarities], right.tolist())


def test_fitted_figures_are_as_often_right_as_they_say():
    learned = fit([drawn_answer(seed) for seed in range(150)], [1.0] * 150, HIT["best"])
    assert set(learned.hit) == {"constant", *HIT["best"]} and set(learned.answer) == {"constant", *ANSWER}
    assert learned.hit["rarity"] == pytest.approx(2, abs=0.3) and learned.hit["constant"] == pytest.approx(-1, abs=0.3)
    assert learned.hit["text"] == learned.hit["inliers"] == 0  # nothing can be learned about what never differs
    figures, right = [], []
    for answer in map(drawn_answer, range(1000, 1200)):
        figures += match_figures([hit.evidence for hit in answer.hits], [0.5] * HITS, learned)
        right += answer.right
    for low in (0, 20, 40, 60, 80):
        inside = (np.array(figures) >= low) & (np.array(figures) < low + 20)
        assert np.mean(np.array(right)[inside]) == pytest.approx(np.mean(np.array(figures)[inside]) / 100, abs=0.08)


def test_the_weights_are_written_as_python():
    learned = {"fast": Weights({"constant": -1.25, "rarity": 1.5}, {"constant": 0.5, "first five": 0.0})}
    found: dict[str, object] = {}
    exec(source_of(learned), found)
    assert found["WEIGHTS"] == learned


def test_the_tables_of_a_calibration():
    hits = [hit(0, 97), hit(0, 96), hit(0, 55), hit(0, 52), hit(0, 3)]
    answer = JudgedAnswer("cup", None, hits, [True, False, True, True, False])
    rows = {row[0]: row[1:] for row in calibration_rows([answer])}
    assert len(rows) == 10 and rows["20 to 29"] == ["0", "", ""]
    assert rows["90 to 100"] == ["2", "96.5", "50.0"] and rows["50 to 59"] == ["2", "53.5", "100.0"]
    weak = JudgedAnswer("cup", None, hits[2:], [False, True, False])
    assert share_row([answer, weak]) == ["50.0%", "50.0%", "0.0%", "50.0%", "50.0%", "25.0%"]


def test_drawn_sisters_are_objects_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(drawn_sisters, "OBJECTS", ("badge",))
    drawn_sisters.draw_sisters(tmp_path)
    dataset = read_dataset(tmp_path)
    assert set(dataset.objects.values()) == {"badge-0", "badge-1", "badge-2"} and len(dataset.queries) == 6
    for query in dataset.queries:
        shown = dataset.objects[query.name]
        relevant = dataset.labels["all"].relevant[query.name]
        assert len(relevant) == 6 and all(image.startswith(shown) for image in relevant)
        assert all((tmp_path / "gallery" / image).is_file() for image in relevant)
