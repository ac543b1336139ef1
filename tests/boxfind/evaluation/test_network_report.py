"""A comparison of networks as text, as JSON, and as one sentence."""

import json
from dataclasses import replace

import numpy as np
import pytest

from boxfind.evaluation.compare_networks import Found, Network
from boxfind.evaluation.evaluate import Evaluation, Row
from boxfind.evaluation.metrics import Quality
from boxfind.evaluation.network_report import as_dict, as_text, difference, verdict

QUERIES = 40


def found(right: int) -> Found:
    """The first `right` of the crops find their picture at once, the others second; ten hits each."""
    ranks = np.where(np.arange(QUERIES) < right, 1, 2)
    own = np.arange(QUERIES)
    hits = own[:, None] + 1 + np.arange(10)
    hits[own, ranks - 1] = own
    return Found(hits, ranks, np.full(QUERIES, 0.02))


def network(name: str, fast: int, best: int) -> Network:
    return Network(name, 500, 10.0, 30_000.0, {"fast": found(fast), "best": found(best)})


def use(name: str) -> str:
    return f"Use {name}."


def test_a_clear_difference_by_fast_decides_between_crops():
    good, bad = network("good", 36, 30), network("bad", 20, 36)
    sentence = verdict([bad, good], use)
    assert sentence == "good is better here: P@1 with fast is 0.900 against 0.500 of bad. Use good."
    assert difference(good, bad, "fast").verdict == "good is better"
    assert difference(bad, good, "fast").verdict == "good is better"
    assert difference(bad, good, "best").verdict == "bad is better"


def test_best_decides_where_fast_shows_no_difference():
    sentence = verdict([network("a", 38, 38), network("b", 37, 20)], use)
    assert sentence == "a is better here: P@1 with best is 0.950 against 0.500 of b. Use a."


def test_a_difference_that_may_be_chance_is_none():
    one, other = network("one", 30, 30), network("other", 31, 31)
    assert difference(one, other, "best").verdict == "no clear difference"
    sentence = verdict([one, other], use)
    assert sentence.startswith("There is no clear difference between other and one on these pictures; choose by speed")
    same = difference(one, network("one", 30, 30), "fast")
    assert same.mean.value == 0 and same.mean.bounds == (0, 0) and not same.is_clear


def test_of_three_networks_only_the_leading_ones_are_named():
    three = [network("a", 38, 38), network("b", 37, 37), network("c", 2, 2)]
    assert "between a and b on" in verdict(three, use)
    assert verdict([three[2], network("d", 2, 2), three[0]], use).startswith("a is better here")


def test_few_queries_say_nothing():
    few = Found(np.arange(40).reshape(4, 10), np.array([1, 1, 1, 1]), np.ones(4))
    none = Found(few.hits, np.array([0, 0, 0, 0]), few.seconds)
    networks = [Network(name, 4, 1.0, 1.0, {"fast": f, "best": f}) for name, f in (("a", few), ("b", none))]
    assert difference(*networks, "fast").verdict == "too few queries"
    assert "no clear difference" in verdict(networks, use)
    assert "too few queries" in as_text(networks)


def test_text_and_json_have_the_same_figures():
    networks = [network("good", 30, 36), network("bad", 34, 20)]
    text, told = as_text(networks), json.loads(json.dumps(as_dict(networks)))
    head, good, bad = (line.split() for line in text.splitlines()[:3])
    assert (good[0], bad[0]) == ("good", "bad") and head[0] == "network"
    assert good[1:5] == ["500", "10.0", "30.0", "0.750"]
    assert told["crops"] == QUERIES
    assert told["networks"][0] == {
        **{"network": "good", "pictures": 500, "pictures/s": 10.0, "KB/picture": 30.0},
        **{"fast P@1": 0.75, "fast MRR": 0.875, "fast ms": 20.0, "best P@1": 0.9, "best MRR": 0.95, "best ms": 20.0},
    }
    pair = told["pairs"][1]
    assert (pair["ranking"], pair["difference"], pair["verdict"]) == ("best", 0.4, "good is better")
    assert pair["same of 10"] == 9.6 and pair["interval"][0] > 0
    assert "P@1 +0.400" in text and "good is better" in text


def test_a_picture_that_is_not_found_counts_as_zero():
    misses = Found(np.full((QUERIES, 10), -1), np.zeros(QUERIES, int), np.ones(QUERIES))
    told = as_dict([Network("a", 500, 1.0, 1.0, {"fast": misses, "best": misses})] * 2)
    assert told["networks"][0]["fast MRR"] == 0 and told["pairs"][0]["same of 10"] == 0


def labelled(name: str, fast: float, best: float) -> Network:
    """Ten rated queries of the same average precision, and one without enough marks."""

    def evaluation(precision: float) -> Evaluation:
        quality = {"all": Quality(precision, 1.0, 1.0, precision / 2, 1.0, 1.0)}
        rows = [Row(f"q{number}", "object", quality, None, 0.01) for number in range(10)]
        rows.append(Row("unjudged", "object", {}, None, 0.01, missing="too few marks"))
        return Evaluation("marks", "rectangular", ("all",), "all", rows, 0)

    return replace(network(name, 30, 30), evaluations={"fast": evaluation(fast), "best": evaluation(best)})


def test_labels_decide_by_best_if_there_are_any():
    first, second = labelled("first", 0.6, 0.5), labelled("second", 0.55, 0.75)
    assert verdict([first, second], use) == (
        "second is better here: mAP with best is 0.750 against 0.500 of first. Use second."
    )
    told = as_dict([first, second])
    assert (told["networks"][1]["best mAP"], told["networks"][1]["best P@10"]) == (0.75, 0.375)
    assert told["networks"][1]["best P@1"] == 0.75  # of the crops
    assert told["pairs"][1]["figure"] == "mAP" and told["pairs"][1]["difference"] == pytest.approx(-0.25)
